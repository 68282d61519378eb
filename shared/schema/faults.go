package schema

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

const (
	// maxFaults is how many places are named: who is wrong at more is wrong at all.
	maxFaults = 50
	// maxSentence bounds what is said of one.
	maxSentence = 300
)

// faultsOf are the places of a document that are at fault, in their order.
func faultsOf(violations *jsonschema.ValidationError) []config.Fault {
	var faults []config.Fault
	collect(violations, &faults)
	slices.SortFunc(faults, func(a, b config.Fault) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	faults = slices.Compact(faults)
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults], config.Fault{Message: fmt.Sprintf("and %d more", more)})
	}
	return faults
}

// collect walks to where something is wrong. Of alternatives that all fail it is
// not known which was meant, unless one alone has the right type.
func collect(e *jsonschema.ValidationError, faults *[]config.Fault) {
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			collect(cause, faults)
		}
	case *kind.AnyOf, *kind.OneOf:
		if meant := meant(e); meant != nil {
			collect(meant, faults)
			return
		}
		note(faults, e.InstanceLocation, alternatives(e))
	case *kind.AdditionalProperties:
		for _, property := range k.Properties {
			note(faults, append(slices.Clone(e.InstanceLocation), property), "is not known here: no further members are allowed")
		}
	case *kind.PropertyNames:
		note(faults, e.InstanceLocation, "the name "+fmt.Sprintf("%.80q", k.Property)+" is not allowed: "+leaf(e))
	default:
		note(faults, e.InstanceLocation, sentence(e))
	}
}

func note(faults *[]config.Fault, path []string, says string) {
	*faults = append(*faults, config.Fault{Path: document.Pointer(path), Message: shorten(says)})
}

// meant is the one alternative that does not fail at once, or nil.
func meant(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	var found *jsonschema.ValidationError
	for _, cause := range e.Causes {
		if len(e.Causes) > 1 && shallow(cause, len(e.InstanceLocation)) {
			continue
		}
		if found != nil { // there are two
			found = nil
			break
		}
		found = cause
	}
	return found
}

// shallow reports whether an alternative fails at the value itself for what it is.
func shallow(e *jsonschema.ValidationError, depth int) bool {
	switch e.ErrorKind.(type) {
	case *kind.Type, *kind.Const, *kind.Enum, *kind.FalseSchema:
		return len(e.InstanceLocation) == depth
	case *kind.Reference, *kind.Group, *kind.AllOf:
		return slices.ContainsFunc(e.Causes, func(c *jsonschema.ValidationError) bool { return shallow(c, depth) })
	}
	return false
}

// alternatives says how each of several failed.
func alternatives(e *jsonschema.ValidationError) string {
	if k, ok := e.ErrorKind.(*kind.OneOf); ok && len(e.Causes) == 0 {
		return sentence(&jsonschema.ValidationError{ErrorKind: k})
	}
	var ways []string
	for _, cause := range e.Causes {
		if way := leaf(cause); !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
	}
	return "fits none of the alternatives: " + strings.Join(ways, "; ")
}

// leaf is the first thing that is wrong below.
func leaf(e *jsonschema.ValidationError) string {
	for len(e.Causes) > 0 {
		e = slices.MinFunc(e.Causes, func(a, b *jsonschema.ValidationError) int {
			return strings.Compare(document.Pointer(a.InstanceLocation), document.Pointer(b.InstanceLocation))
		})
	}
	return sentence(e)
}

// sentence says what is wrong with a value.
func sentence(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.FalseSchema:
		return "nothing is allowed here"
	case *kind.Not:
		return "is what the schema says it must not be"
	case *kind.Type:
		return "is " + article(k.Got) + ", and must be " + articles(k.Want)
	case *kind.Format:
		return fmt.Sprintf("%.80q is not valid %s: %v", fmt.Sprint(k.Got), k.Want, k.Err)
	case *kind.Pattern:
		return fmt.Sprintf("%.80q does not match the pattern %.150q", k.Got, k.Want)
	case *kind.RefCycle:
		return "its schema refers to itself without end"
	}
	alone := &jsonschema.ValidationError{ErrorKind: e.ErrorKind}
	return alone.DetailedOutput().Error.String()
}

func article(of string) string {
	switch of {
	case "null":
		return of
	case "integer", "array", "object":
		return "an " + of
	}
	return "a " + of
}

func articles(of []string) string {
	all := make([]string, len(of))
	for i, each := range of {
		all[i] = article(each)
	}
	return strings.Join(all, " or ")
}

// shorten cuts what is too long to be told, at a character's end.
func shorten(says string) string {
	if len(says) <= maxSentence {
		return says
	}
	end := maxSentence
	for !utf8.RuneStart(says[end]) {
		end--
	}
	return says[:end] + "…"
}

// invalid says why a schema is none, and where as far as that is known.
func invalid(err error) error {
	if faulty, ok := errors.AsType[*config.FaultyDocument](err); ok {
		return &config.FaultyDocument{Err: ErrInvalid, Faults: describe(faulty)}
	}
	if wrong, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if violations, ok := errors.AsType[*jsonschema.ValidationError](wrong.Err); ok {
			return &config.FaultyDocument{Err: ErrInvalid, Faults: faultsOf(violations)}
		}
	}
	return &config.FaultyDocument{Err: ErrInvalid, Faults: []config.Fault{reason(err)}}
}

func reason(err error) config.Fault {
	if bad, ok := errors.AsType[*jsonschema.InvalidRegexError](err); ok {
		_, path, _ := strings.Cut(bad.URL, "#")
		if path, err := url.PathUnescape(path); err == nil {
			return config.Fault{Path: path, Message: shorten(fmt.Sprintf("the pattern %.200q is none of Go's regular expressions: %v", bad.Regex, bad.Err))}
		}
	}
	if missing, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		return config.Fault{Message: shorten("it refers to " + strings.TrimPrefix(missing.URL, home) + ": " + missing.Err.Error())}
	}
	return config.Fault{Message: shorten(strings.ReplaceAll(err.Error(), home, ""))}
}
