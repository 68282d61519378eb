// Package formats reads configs in JSON, YAML and TOML for an application that
// imports shared/sdk. It is apart from that package, since YAML and TOML need
// libraries, and who has JSON alone should not get them. It knows no network and
// no folder.
package formats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

// Decode reads a document by its JSON meaning, as encoding/json would: the same
// struct with the same json tags serves for every format. It is made for
// sdk.Options.Decode. Text is read into a string, and whatever a config may hold
// into a []byte, as it is.
func Decode[T any](body []byte, mediaType string) (T, error) {
	return decode[T](body, mediaType, false)
}

// Strict is Decode, and refuses what has members that T has no field for.
func Strict[T any](body []byte, mediaType string) (T, error) { return decode[T](body, mediaType, true) }

func decode[T any](body []byte, mediaType string, strict bool) (value T, err error) {
	held := config.Document{MediaType: mediaType, Body: body}
	switch into := any(&value).(type) {
	case *[]byte:
		*into = bytes.Clone(body)
		return value, nil
	case *string:
		if held.Kind() == config.Text {
			*into = string(body)
			return value, document.Check(held)
		}
	}
	meaning, err := meaningOf(held)
	if err != nil {
		return value, fmt.Errorf("read %s: %w", mediaType, err)
	}
	reader := json.NewDecoder(bytes.NewReader(meaning))
	if strict {
		reader.DisallowUnknownFields()
	}
	if err := reader.Decode(&value); err != nil {
		return value, fmt.Errorf("read %s: %w", mediaType, err)
	}
	if _, err := reader.Token(); !errors.Is(err, io.EOF) {
		return value, fmt.Errorf("read %s: something follows the document", mediaType)
	}
	return value, nil
}

// meaningOf is a document as JSON.
func meaningOf(d config.Document) ([]byte, error) {
	if d.Kind() == config.JSON {
		return d.Body, nil
	}
	value, err := document.Value(d)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}
