package config

import (
	"errors"
	"fmt"
	"regexp"
)

// ErrInvalidName means that a namespace, a config or an agent has a name that
// the pattern does not allow.
var ErrInvalidName = errors.New("invalid name")

const (
	namePattern = `[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?`
	idPattern   = `[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?`
)

var (
	nameRule = regexp.MustCompile(`^` + namePattern + `$`)
	idRule   = regexp.MustCompile(`^` + idPattern + `$`)
)

// A Name names a namespace, or a config within one: 1 to 63 lower-case letters,
// digits, dots, dashes and underscores, with a letter or digit at both ends.
type Name string

// ParseName returns s as a Name, or an error that wraps ErrInvalidName.
func ParseName(s string) (Name, error) {
	if !nameRule.MatchString(s) {
		return "", fmt.Errorf("%w %s: use 1 to 63 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends",
			ErrInvalidName, quote(s))
	}
	return Name(s), nil
}

// CheckAgentID returns an error that wraps ErrInvalidName unless s can be the ID
// of an agent. It becomes part of a topic and of a path, and is often a host name.
func CheckAgentID(s string) error {
	if !idRule.MatchString(s) {
		return fmt.Errorf("%w %s: an agent's ID is 1 to 128 letters, digits, '.', '_' and '-', with a letter or digit at both ends",
			ErrInvalidName, quote(s))
	}
	return nil
}

// CheckWorkerID returns an error that wraps ErrInvalidName unless s can be the ID
// of a worker: 1 to 255 printable ASCII characters without a space.
func CheckWorkerID(s string) error {
	ok := len(s) >= 1 && len(s) <= 255
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] > ' ' && s[i] < 0x7f
	}
	if !ok {
		return fmt.Errorf("%w %s: a worker's ID is 1 to 255 printable ASCII characters without a space", ErrInvalidName, quote(s))
	}
	return nil
}

// quote shows a foreign string in an error without letting it fill the line.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
