package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/settings"
)

func TestWritingIsChecked(t *testing.T) {
	good := writing{message: "größer", timeout: time.Second}
	header, err := good.header(`k3x`)
	if err != nil || header.Get("Herald-Message") != "größer" || header.Get("If-Match") != `"k3x"` {
		t.Errorf("%v %v", header, err)
	}
	for name, w := range map[string]writing{
		"two lines": {message: "a\nb", timeout: 1}, "a bell": {message: "\a", timeout: 1},
		"a book": {message: strings.Repeat("x", maxMessage+1), timeout: 1}, "no time": {timeout: 0},
	} {
		if _, err := w.header(""); !errors.Is(err, settings.ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestETagsComeWithOrWithoutQuotes(t *testing.T) {
	for given, want := range map[string]string{"k3x": `"k3x"`, `"k3x"`: `"k3x"`, "*": "*", `"k3x-gzip"`: `"k3x"`} {
		if got, err := entityTag(given); got != want || err != nil {
			t.Errorf("%s: %s, %v", given, got, err)
		}
	}
	for _, bad := range []string{`"k3x`, `"`, "a b", `W/"k3x"`} {
		if got, err := entityTag(bad); !errors.Is(err, settings.ErrUsage) {
			t.Errorf("%s passes as %s", bad, got)
		}
	}
}
