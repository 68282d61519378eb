package httpapi

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"

	"github.com/heraldconf/herald/shared/config"
)

// decodeStrictly decodes a JSON object whose members are all known, by exactly
// these names: encoding/json alone takes "NAME" for "name", and null for {}.
func decodeStrictly(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return misfit("", reason(err))
	}
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return misfit("", "null where an object belongs")
	}
	return checkMembers(body, reflect.TypeOf(into), "")
}

func misfit(path, message string) *Problem {
	problem := Invalid("the body is not the JSON that is asked for: " + message)
	if path != "" {
		problem.Errors = []config.Fault{{Path: path, Message: message}}
	}
	return problem
}

// reason says what did not fit without the names of Go's types.
func reason(err error) string {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return strings.TrimPrefix(err.Error(), "json: ")
	case wrong.Field == "":
		return wrong.Value + " where something else belongs"
	}
	return fmt.Sprintf("%s where something else belongs, in %s", wrong.Value, strconv.Quote(wrong.Field))
}

// checkMembers returns a Problem for a member that the type names in another
// case. What reads itself, as json.RawMessage does, is left alone.
func checkMembers(raw json.RawMessage, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if readsItself(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		if torn(raw) {
			return misfit(path, halfPair)
		}
	case reflect.Struct:
		return checkStruct(raw, t, path)
	case reflect.Slice, reflect.Array, reflect.Map:
		return checkElements(raw, t, path)
	}
	return nil
}

func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func checkStruct(raw json.RawMessage, t reflect.Type, path string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return misfit(path, reason(err))
	}
	known := membersOf(t)
	for _, key := range slices.Sorted(maps.Keys(members)) {
		field, ok := known[key]
		if !ok {
			return misfit(below(path, key), "unknown member "+strconv.Quote(key)+"; small and capital letters differ")
		}
		if bare(field) && !torn(members[key]) {
			continue
		}
		if err := checkMembers(members[key], field, below(path, key)); err != nil {
			return err
		}
	}
	return nil
}

// bare reports whether nothing of the type can have members, which spares what is
// most of a body its path.
func bare(t reflect.Type) bool { return t.Kind() < reflect.Array || t.Kind() == reflect.String }

const halfPair = "half of a UTF-16 pair, which is no character"

// torn reports whether JSON escapes half of a UTF-16 pair. encoding/json would take
// it for U+FFFD, and something else be written than what was sent.
func torn(raw json.RawMessage) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		first, ok := escaped(raw[i:])
		switch second, both := escaped(raw[min(i+6, len(raw)):]); {
		case !ok:
			raw = raw[i+2:]
		case !utf16.IsSurrogate(first):
			raw = raw[i+6:]
		case !both || utf16.DecodeRune(first, second) == unicode.ReplacementChar:
			return true
		default:
			raw = raw[i+12:]
		}
	}
}

// escaped reads the \uXXXX that JSON begins with.
func escaped(raw json.RawMessage) (rune, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	return rune(n), err == nil
}

func checkElements(raw json.RawMessage, t reflect.Type, path string) error {
	elements := map[string]json.RawMessage{}
	switch element := t.Elem(); {
	case readsItself(element) || (bare(element) && !torn(raw)):
		return nil // nothing in it has members, or it says itself which
	case t.Kind() == reflect.Map:
		if err := json.Unmarshal(raw, &elements); err != nil {
			return misfit(path, reason(err))
		}
	default:
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return misfit(path, reason(err))
		}
		for i, element := range list {
			elements[strconv.Itoa(i)] = element
		}
	}
	for _, key := range slices.Sorted(maps.Keys(elements)) {
		if err := checkMembers(elements[key], t.Elem(), below(path, key)); err != nil {
			return err
		}
	}
	if bare(t.Elem()) { // no element is torn: it is a key
		return misfit(path, halfPair)
	}
	return nil
}

// escapes is made once: a replacer is dear to make, and thousands of paths need it.
var escapes = strings.NewReplacer("~", "~0", "/", "~1")

// below is the JSON Pointer (RFC 6901) of a member or element.
func below(path, key string) string {
	return path + "/" + escapes.Replace(key)
}

var knownMembers sync.Map // of a reflect.Type, what readMembers returned

// membersOf is readMembers, asked once a type: a body may have thousands of one.
func membersOf(t reflect.Type) map[string]reflect.Type {
	if known, ok := knownMembers.Load(t); ok {
		return known.(map[string]reflect.Type) //nolint:forcetypeassert // nothing else is stored
	}
	members := readMembers(t)
	knownMembers.Store(t, members)
	return members
}

// readMembers are the JSON names of a struct's fields and their types.
func readMembers(t reflect.Type) map[string]reflect.Type {
	members := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(t) {
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || !field.IsExported() || (field.Anonymous && name == ""):
			continue // unknown to encoding/json, or its fields follow by themselves
		case name == "":
			name = field.Name
		}
		members[name] = field.Type
	}
	return members
}
