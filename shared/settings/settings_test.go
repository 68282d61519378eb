package settings_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heraldconf/herald/shared/settings"
)

const hush = "tok_hush-hush"

// seen is what a program was set to.
type seen struct {
	name     string
	interval time.Duration
	many     []string
	yes      bool
	Token    settings.Secret // exported: fmt asks no method of a field that is not
	Accept   settings.Secrets
}

// run runs a program with these arguments. What it prints must not have a secret.
func run(t *testing.T, args ...string) (got seen, stdout, stderr string, err error) {
	t.Helper()
	var out, diagnostics bytes.Buffer
	cmd := &cobra.Command{Use: "program", Version: "1.2.3", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		fmt.Fprintf(&out, "%v %s %q %#v %+v", got.Token, got.Accept, got.Token, got, &got.Token)
		return nil
	}}
	flags := cmd.PersistentFlags()
	flags.StringVar(&got.name, "some-name", "default", "a name")
	flags.DurationVar(&got.interval, "poll-interval", 15*time.Second, "an interval")
	flags.StringSliceVar(&got.many, "many", []string{"a", "b"}, "several")
	flags.BoolVar(&got.yes, "yes", false, "a switch")
	settings.SecretVar(flags, &got.Token, "token", "a secret")
	settings.SecretsVar(flags, &got.Accept, "accept-token", "several secrets")
	cmd.AddCommand(&cobra.Command{Use: "below", Args: cobra.NoArgs, RunE: cmd.RunE})
	cmd.SetOut(&out)
	cmd.SetErr(&diagnostics)
	cmd.SetArgs(args)
	err = settings.Execute(t.Context(), cmd)
	if all := out.String() + diagnostics.String() + fmt.Sprint(err); strings.Contains(all, "hush") {
		t.Errorf("%q: a secret was printed: %s", args, all)
	}
	return got, out.String(), diagnostics.String(), err
}

func TestFlagBeforeVariableBeforeDefault(t *testing.T) {
	got, _, _, err := run(t)
	if err != nil || got.name != "default" || got.interval != 15*time.Second || !slices.Equal(got.many, []string{"a", "b"}) || got.yes || got.Token != "" || got.Accept != nil {
		t.Errorf("defaults: %+v, %v", got, err)
	}
	for name, value := range map[string]string{
		"HERALD_SOME_NAME": "variable", "HERALD_POLL_INTERVAL": "1m30s", "HERALD_MANY": "c,d", "HERALD_YES": "true",
		"HERALD_TOKEN": hush, "HERALD_ACCEPT_TOKEN": hush + "1, " + hush + "2",
		"HERALD_VERSION": "4.5.6", "HERALD_HELP": "me", "HERALD_UNKNOWN": "x", // none of them a setting of ours
	} {
		t.Setenv(name, value)
	}
	for _, args := range [][]string{nil, {"below"}} {
		got, _, _, err = run(t, args...)
		if err != nil || got.name != "variable" || got.interval != 90*time.Second || !slices.Equal(got.many, []string{"c", "d"}) || !got.yes ||
			got.Token.Reveal() != hush || !slices.Equal(got.Accept.Reveal(), []string{hush + "1", hush + "2"}) {
			t.Errorf("variables: %q %s %q %v, %v", got.name, got.interval, got.many, got.yes, err)
		}
	}
	got, _, _, err = run(t, "--some-name", "flag", "--poll-interval=2s", "--many=e", "--yes=false", "--token", "other", "--accept-token", "x", "--accept-token", "y,z")
	if err != nil || got.name != "flag" || got.interval != 2*time.Second || !slices.Equal(got.many, []string{"e"}) || got.yes ||
		got.Token.Reveal() != "other" || !slices.Equal(got.Accept.Reveal(), []string{"x", "y", "z"}) {
		t.Errorf("flags: %q %s %q %v, %v", got.name, got.interval, got.many, got.yes, err)
	}
	got, _, _, err = run(t, "--some-name=", "below")
	if err != nil || got.name != "" {
		t.Errorf("an empty flag is a flag: %q, %v", got.name, err)
	}
}

func TestEmptyVariableIsNotSet(t *testing.T) {
	for _, name := range []string{"HERALD_SOME_NAME", "HERALD_POLL_INTERVAL", "HERALD_MANY", "HERALD_YES", "HERALD_TOKEN", "HERALD_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	got, _, _, err := run(t)
	if err != nil || got.name != "default" || got.interval != 15*time.Second || len(got.many) != 2 || got.Token != "" {
		t.Errorf("%q %s %q, %v", got.name, got.interval, got.many, err)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("HERALD_TOKEN_FILE", file("one", "  "+hush+"\r\n"))
	t.Setenv("HERALD_ACCEPT_TOKEN_FILE", file("several", hush+"1\r\n"+hush+"2\n\n\t"+hush+"3,"+hush+"4"))
	t.Setenv("HERALD_SOME_NAME_FILE", file("name", "is no secret"))
	got, _, _, err := run(t)
	if err != nil || got.Token.Reveal() != hush || !slices.Equal(got.Accept.Reveal(), []string{hush + "1", hush + "2", hush + "3", hush + "4"}) || got.name != "default" {
		t.Errorf("%q %q %q, %v", got.Token.Reveal(), got.Accept.Reveal(), got.name, err)
	}
	t.Setenv("HERALD_TOKEN", "variable")
	if got, _, _, err = run(t); err != nil || got.Token.Reveal() != "variable" {
		t.Errorf("the variable comes first: %v", err)
	}
	if got, _, _, err = run(t, "--token", "flag"); err != nil || got.Token.Reveal() != "flag" {
		t.Errorf("the flag comes first: %v", err)
	}
	t.Setenv("HERALD_TOKEN", "")
	for path, says := range map[string]string{
		filepath.Join(folder, "missing"): "no such file",
		file("empty", " \n"):             "is empty",
		folder:                           "directory",
	} {
		t.Setenv("HERALD_TOKEN_FILE", path)
		_, _, _, err := run(t)
		if !errors.Is(err, settings.ErrUsage) || !strings.Contains(err.Error(), "HERALD_TOKEN_FILE: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	secret, secrets := settings.Secret(hush), settings.Secrets{hush, hush}
	var log bytes.Buffer
	attributes := []any{"secret", secret, "secrets", secrets, "pointer", &secret, "group", slog.GroupValue(slog.Any("s", secret))}
	slog.New(slog.NewTextHandler(&log, nil)).Info("set", attributes...)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("set", attributes...)
	encoded, err := json.Marshal(map[string]any{"secret": secret, "secrets": &secrets})
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	printed.WriteString(log.String() + string(encoded))
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		printed.WriteString(fmt.Sprintf(format, secret) + fmt.Sprintf(format, secrets) + fmt.Sprintf(format, &secret) +
			fmt.Sprintf(format, struct {
				A settings.Secret
				B settings.Secrets
			}{secret, secrets}))
	}
	if strings.Contains(printed.String(), "hush") || strings.Contains(printed.String(), fmt.Sprintf("%x", hush)) {
		t.Error(printed.String())
	}
	if strings.Count(printed.String(), "redacted") < 20 {
		t.Errorf("not even that there is one: %s", printed.String())
	}
	if none := fmt.Sprint(settings.Secret(""), settings.Secrets(nil)); strings.TrimSpace(none) != "" {
		t.Errorf("of nothing: %q", none)
	}
	for _, args := range [][]string{{"--help"}, {"--token", hush, "--help"}, {"--token", hush, "--wrong"}, {"--accept-token=" + hush, "--poll-interval=x"}, {"--token", hush, "below", "--help"}} {
		run(t, args...)
	}
}

func TestUsageErrorsNameTheSetting(t *testing.T) {
	usage := func(says string, args ...string) {
		t.Helper()
		_, stdout, stderr, err := run(t, args...)
		if !errors.Is(err, settings.ErrUsage) || !strings.Contains(err.Error(), says) || stdout+stderr != "" {
			t.Errorf("%q: %v, want %q; printed %q %q", args, err, says, stdout, stderr)
		}
	}
	usage("unknown flag: --wrong (see 'program --help')", "--wrong")
	usage("unknown shorthand flag: 'x'", "-x")
	usage("unknown flag: --wrong (see 'program below --help')", "below", "--wrong")
	usage("--poll-interval", "--poll-interval", "soon")
	usage("--poll-interval", "--poll-interval", "15")
	usage("--yes", "--yes=maybe")
	usage("--token", "--token")
	usage(`unknown command "wrong"`, "wrong")
	usage(`unknown command "wrong"`, "below", "wrong")
	t.Setenv("HERALD_POLL_INTERVAL", "soon")
	usage("HERALD_POLL_INTERVAL: ")
	if _, _, _, err := run(t, "--poll-interval", "1s"); err != nil {
		t.Errorf("the flag comes first: %v", err)
	}
	t.Setenv("HERALD_YES", "maybe")
	usage("HERALD_YES: ", "--poll-interval", "1s", "below")
}

func TestHelpAndVersionGoToStandardOutput(t *testing.T) {
	_, stdout, stderr, err := run(t, "--help")
	if err != nil || stderr != "" || !strings.Contains(stdout, "--some-name") || !strings.Contains(stdout, "HERALD_TOKEN_FILE names") || !strings.Contains(stdout, "HERALD_ACCEPT_TOKEN_FILE") {
		t.Errorf("%q %q %v", stdout, stderr, err)
	}
	t.Setenv("HERALD_POLL_INTERVAL", "soon") // who asks for help need not be set right
	if _, stdout, stderr, err = run(t, "--help"); err != nil || stdout == "" || stderr != "" {
		t.Errorf("%q %q %v", stdout, stderr, err)
	}
	if _, stdout, stderr, err = run(t, "--version"); err != nil || stdout != "program version 1.2.3\n" || stderr != "" {
		t.Errorf("%q %q %v", stdout, stderr, err)
	}
}

// What goes wrong in the command's own code is no usage, unless it says so.
func TestOwnErrorsAreTheirOwn(t *testing.T) {
	own := errors.New("own")
	for _, c := range []struct {
		err   error
		usage bool
	}{{own, false}, {settings.Usagef("--name: %w", own), true}, {fmt.Errorf("x: %w", settings.Usagef("%w", own)), true}} {
		cmd := &cobra.Command{Use: "program", RunE: func(*cobra.Command, []string) error { return c.err }}
		cmd.SetArgs(nil)
		err := settings.Execute(t.Context(), cmd)
		if !errors.Is(err, own) || errors.Is(err, settings.ErrUsage) != c.usage || err.Error() != c.err.Error() {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

func TestFromEnvironmentReportsTheFirst(t *testing.T) {
	flags := pflag.NewFlagSet("x", pflag.ContinueOnError)
	flags.Int("b", 0, "")
	flags.Int("a", 0, "")
	t.Setenv("HERALD_A", "x")
	t.Setenv("HERALD_B", "y")
	if err := settings.FromEnvironment(flags); !errors.Is(err, settings.ErrUsage) || strings.Count(err.Error(), "HERALD_") != 1 {
		t.Error(err)
	}
}
