package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/heraldconf/herald/shared/config"
)

// Why a document has no meaning in JSON.
var (
	// ErrUnstructured means that it is neither JSON nor YAML nor TOML.
	ErrUnstructured = errors.New("not JSON, YAML or TOML")
	// ErrNoMeaning means that JSON has nothing for what stands there.
	ErrNoMeaning = errors.New("not to be said in JSON")
)

// Value returns what a document says in the terms of JSON: map[string]any, []any,
// string, json.Number, bool and nil. Times, which only YAML and TOML have, are
// strings as they were written or in RFC 3339; keys of YAML that are no strings
// become some. The error is one of Check, or a *config.FaultyDocument that wraps
// ErrUnstructured or ErrNoMeaning.
func Value(d config.Document) (any, error) {
	kind := d.Kind()
	if kind == config.Bytes || kind == config.Text {
		return nil, faulty(ErrUnstructured, d.MediaType+" has no members to be looked at")
	}
	if err := Check(d); err != nil {
		return nil, err
	}
	switch kind {
	case config.YAML:
		return yamlValue(d.Body)
	case config.TOML:
		return tomlValue(d.Body)
	}
	return jsonValue(d.Body)
}

func jsonValue(body []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, faulty(config.ErrInvalidJSON, err.Error())
	}
	return value, boundNumbers(value, nil)
}

// maxDigits bounds numbers: 1e1000000000 is twelve characters, and more than a
// machine can hold once somebody compares it.
const maxDigits = 400

// boundNumbers refuses numbers that nobody can calculate with.
func boundNumbers(value any, path []string) error {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			if err := boundNumbers(member, append(path, key)); err != nil {
				return err
			}
		}
	case []any:
		for i, element := range value {
			if err := boundNumbers(element, append(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
	case json.Number:
		if !bounded(string(value)) {
			return meaningless(path, fmt.Sprintf("a number of more than %d digits, or a power of ten beyond that", maxDigits))
		}
	}
	return nil
}

func bounded(number string) bool {
	if len(number) > maxDigits {
		return false
	}
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return true
	}
	exponent, err := strconv.Atoi(strings.TrimPrefix(number[i+1:], "+"))
	return err == nil && exponent >= -maxDigits && exponent <= maxDigits
}

func meaningless(path []string, message string) error {
	return &config.FaultyDocument{Err: ErrNoMeaning, Faults: []config.Fault{{Path: Pointer(path), Message: message}}}
}

// maxPointer bounds a pointer: keys may be as long as the document.
const maxPointer = 1 << 10

// Pointer returns the JSON Pointer (RFC 6901) of a path of keys and indices, or of
// what is around it where that would be too long to be told.
func Pointer(path []string) string {
	var pointer strings.Builder
	for _, step := range path {
		step = pointerEscapes.Replace(step)
		if pointer.Len()+len(step) > maxPointer {
			break
		}
		pointer.WriteString("/" + step)
	}
	return pointer.String()
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
