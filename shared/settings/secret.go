package settings

import (
	"strings"
	"unicode"

	"github.com/spf13/pflag"
)

const redacted = "redacted"

// A Secret is a setting that is never printed: not by fmt, slog or encoding/json
// either, unless it is an unexported field, of which fmt asks no method. It is a
// pflag.Value.
type Secret string

// Set takes the value.
func (s *Secret) Set(value string) error { *s = Secret(value); return nil }

// Type marks the flag as one whose value may come from a file.
func (s Secret) Type() string { return "secret" }

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the value.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// Secrets is a setting of several secrets, comma-separated or given repeatedly,
// and hidden as a Secret is. It is a pflag.Value.
type Secrets []string

// Set adds the values.
func (s *Secrets) Set(value string) error {
	for one := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		*s = append(*s, one)
	}
	return nil
}

// Type marks the flag as one whose value may come from a file.
func (s Secrets) Type() string { return "secret" }

// String hides the values.
func (s Secrets) String() string {
	if len(s) == 0 {
		return ""
	}
	return redacted
}

// GoString hides the values.
func (s Secrets) GoString() string { return s.String() }

// MarshalText hides the values.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the values.
func (s Secrets) Reveal() []string { return s }

// SecretVar makes a flag for a secret.
func SecretVar(flags *pflag.FlagSet, into *Secret, name, usage string) {
	flags.Var(into, name, usage+fromFile(name))
}

// SecretsVar makes a flag for several secrets.
func SecretsVar(flags *pflag.FlagSet, into *Secrets, name, usage string) {
	flags.Var(into, name, usage+fromFile(name))
}

// fromFile says where a secret is safe: arguments stand in the list of processes.
func fromFile(name string) string {
	return "; better not on the command line, which others on the host can read, but from the file that " + variable(name) + "_FILE names"
}
