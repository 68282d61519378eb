// Package environ says what configs are as the environment of a program: which
// variables a document makes, and which cannot be. It knows documents and nothing
// of processes.
package environ

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

const (
	// MaxVariable is how many bytes a variable has at most, name and value
	// together: Linux takes no more.
	MaxVariable = 128<<10 - 2
	// MaxEnvironment is how many bytes all of them have at most.
	MaxEnvironment = 1 << 20
	// Code is that of the verdict on configs which make no environment.
	Code = "environment"
)

// An Unfit is why configs make no environment.
type Unfit struct{ message string }

// Error says which config is to blame, and of what.
func (u *Unfit) Error() string { return u.message }

// Code is the code of the verdict.
func (u *Unfit) Code() string { return Code }

// Of returns the variables that configs make, as NAME=value in the order of their
// names. The config limits of {"rps":50} makes LIMITS_RPS=50: names in capitals,
// with _ for all but A to Z and 0 to 9, and what stands in each other joined by _.
// Strings stand as they are, text too but for one newline at its end; numbers as
// they were written, lists as JSON, and null as null. YAML and TOML count as what
// they mean in JSON. A config of bytes makes none. The error is an *Unfit.
func Of(configs iter.Seq2[config.Name, config.Document]) ([]string, error) {
	m := making{variables: map[string]variable{}}
	for name, d := range configs {
		if err := m.config(name, d); err != nil {
			return nil, err
		}
	}
	all := make([]string, 0, len(m.variables))
	for _, name := range slices.Sorted(maps.Keys(m.variables)) {
		all = append(all, name+"="+m.variables[name].value)
	}
	return all, nil
}

// A variable remembers where in the configs it comes from.
type variable struct{ value, from string }

// A making is an environment that is being made.
type making struct {
	variables map[string]variable
	size      int
}

func (m *making) config(name config.Name, d config.Document) error {
	switch d.Kind() {
	case config.Bytes:
		return nil
	case config.Text:
		return m.add(nameOf(string(name)), withoutNewline(string(d.Body)), string(name))
	}
	value, err := document.Value(d)
	if err != nil {
		return unfit("%s: %v", name, err)
	}
	return m.value(nameOf(string(name)), value, string(name))
}

// value adds what a value of JSON makes. from is where it stands: the config, and
// the place in it as a JSON Pointer.
func (m *making) value(name string, value any, from string) error {
	if len(name) > MaxVariable { // of objects in objects the names grow with each
		return unfit("%s makes a name of more than %d bytes", place(from), MaxVariable)
	}
	object, ok := value.(map[string]any)
	if !ok {
		text, err := textOf(value)
		if err != nil {
			return unfit("%s: %v", place(from), err)
		}
		return m.add(name, text, from)
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if err := m.value(name+"_"+nameOf(key), object[key], from+document.Pointer([]string{key})); err != nil {
			return err
		}
	}
	return nil
}

func (m *making) add(name, value, from string) error {
	if other, taken := m.variables[name]; taken {
		return unfit("%s and %s both make %s; rename one", place(other.from), place(from), place(name))
	}
	switch {
	case reserved(name):
		return unfit("%s makes %s, which no config may set; rename it", place(from), place(name))
	case strings.ContainsRune(value, 0):
		return unfit("%s holds a NUL, which no variable can", place(from))
	case len(name)+len(value) > MaxVariable:
		return unfit("%s makes a variable of %d bytes; %d are possible", place(from), len(name)+len(value), MaxVariable)
	}
	m.size += len(name) + len(value) + 2
	if m.size > MaxEnvironment {
		return unfit("the configs make an environment of more than %d bytes", MaxEnvironment)
	}
	m.variables[name] = variable{value, from}
	return nil
}

func unfit(format string, args ...any) error { return &Unfit{fmt.Sprintf(format, args...)} }

// place keeps a foreign name short in a message.
func place(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
