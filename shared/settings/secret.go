package settings

import (
	"strings"

	"github.com/spf13/pflag"
)

// A Secret is a setting that is never printed. It is a pflag.Value.
type Secret string

// Set takes the value.
func (s *Secret) Set(value string) error { *s = Secret(value); return nil }

// Type marks the flag as one whose value may come from a file.
func (s *Secret) Type() string { return "secret" }

// String hides the value.
func (s *Secret) String() string {
	if *s == "" {
		return ""
	}
	return "redacted"
}

// Reveal returns the value.
func (s *Secret) Reveal() string { return string(*s) }

// Secrets is a setting of several secrets, comma-separated or given repeatedly.
// It is a pflag.Value.
type Secrets []string

// Set adds the values.
func (s *Secrets) Set(value string) error {
	for one := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == '\n' || r == ' ' }) {
		*s = append(*s, one)
	}
	return nil
}

// Type marks the flag as one whose value may come from a file.
func (s *Secrets) Type() string { return "secret" }

// String hides the values.
func (s *Secrets) String() string {
	if len(*s) == 0 {
		return ""
	}
	return "redacted"
}

// Reveal returns the values.
func (s *Secrets) Reveal() []string { return *s }

// SecretVar makes a flag for a secret.
func SecretVar(flags *pflag.FlagSet, into *Secret, name, usage string) {
	flags.Var(into, name, usage+fromFile(name))
}

// SecretsVar makes a flag for several secrets.
func SecretsVar(flags *pflag.FlagSet, into *Secrets, name, usage string) {
	flags.Var(into, name, usage+fromFile(name))
}

func fromFile(name string) string { return "; or from the file that " + variable(name) + "_FILE names" }
