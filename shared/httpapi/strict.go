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
		if err := checkMembers(members[key], field, below(path, key)); err != nil {
			return err
		}
	}
	return nil
}

func checkElements(raw json.RawMessage, t reflect.Type, path string) error {
	elements := map[string]json.RawMessage{}
	switch element := t.Elem(); {
	case readsItself(element) || element.Kind() < reflect.Array || element.Kind() == reflect.String:
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
	return nil
}

// below is the JSON Pointer (RFC 6901) of a member or element.
func below(path, key string) string {
	return path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// membersOf are the JSON names of a struct's fields and their types.
func membersOf(t reflect.Type) map[string]reflect.Type {
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
