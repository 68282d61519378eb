package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

func TestParseEither(t *testing.T) {
	for _, c := range []struct {
		arg             string
		namespace, name config.Name
	}{{"payments", "payments", ""}, {"payments/limits", "payments", "limits"}, {"a.b-c/d_e", "a.b-c", "d_e"}} {
		if namespace, name, err := parseEither(c.arg); namespace != c.namespace || name != c.name || err != nil {
			t.Errorf("%s: %s %s %v", c.arg, namespace, name, err)
		}
	}
	for _, bad := range []string{"", "/", "a/", "/a", "a/b/c", "A", "a b", "../a", "a/..", strings.Repeat("a", 64)} {
		if _, _, err := parseEither(bad); !errors.Is(err, settings.ErrUsage) {
			t.Errorf("%q passes: %v", bad, err)
		}
	}
	if _, _, err := parseConfig("payments"); !errors.Is(err, settings.ErrUsage) {
		t.Errorf("a namespace passes as a config: %v", err)
	}
}

func TestArgumentsAreCounted(t *testing.T) {
	check := arguments(1, 2, "herald x A")
	for args, want := range map[string]string{
		"":      "an argument is missing; write it as in: herald x A",
		"a":     "",
		"a b":   "",
		"a b c": `"c" is one argument too many; write it as in: herald x A`,
	} {
		err := check(&cobra.Command{}, strings.Fields(args))
		if (err == nil) != (want == "") || (err != nil && (err.Error() != want || !errors.Is(err, settings.ErrUsage))) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
