package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/heraldconf/herald/shared/config"
)

// The codes of rejected verdicts. An error of Decode, Validate or OnChange that
// has a method Code() string brings its own.
const (
	CodeDecode   = "decode"   // the document cannot be read as the value
	CodeValidate = "validate" // it can, and the value is not valid
	CodeRefused  = "refused"  // OnChange returned an error
	CodeMissing  = "missing"  // the namespace has no config of that name
	CodeVanished = "vanished" // a config of the namespace is gone without a tombstone
)

var errMissing = errors.New("the namespace has no such config")

// A refusal is why a snapshot is not taken over.
type refusal struct {
	code string
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// Code is the one of the verdict, so that a refusal keeps it through the steps.
func (r *refusal) Code() string { return r.code }

// steps are what a value passes once it is made, whatever it is made of.
type steps[T any] struct {
	validate func(T) error
	onChange func(old, next T) error
}

// build makes a value, and returns it if it is valid.
func (s steps[T]) build(of func() (T, error)) (value T, err error) {
	err = step(CodeDecode, func() (err error) {
		value, err = of()
		return err
	})
	if err == nil {
		err = step(CodeValidate, func() error { return s.valid(value) })
	}
	return value, err
}

// take returns a value that was made if the application takes it.
func (s steps[T]) take(old, value T, err error) (T, error) {
	if err == nil && s.onChange != nil {
		err = step(CodeRefused, func() error { return s.onChange(old, value) })
	}
	return value, err
}

func (s steps[T]) valid(value T) error {
	if s.validate != nil {
		return s.validate(value)
	}
	for _, candidate := range []any{value, &value} {
		if own, ok := candidate.(interface{ Validate() error }); ok {
			return own.Validate()
		}
	}
	return nil
}

// A document is the view of one config.
type document[T any] struct {
	steps[T]
	namespace, name config.Name
	decode          func(document []byte, mediaType string) (T, error)
}

func (d *document[T]) source(s *config.Snapshot) (config.ETag, error) {
	entry, ok := s.Config(d.name)
	if !ok {
		return "", missing(s.Namespace, d.name)
	}
	return entry.ETag, nil
}

func (d *document[T]) value(s *config.Snapshot) (T, error) {
	entry, ok := s.Config(d.name)
	if !ok {
		return *new(T), missing(s.Namespace, d.name)
	}
	return d.build(func() (value T, err error) {
		if d.decode != nil {
			return d.decode(entry.Body, entry.MediaType)
		}
		err = decodeJSON(entry.Document, &value)
		return value, err
	})
}

func (d *document[T]) judge(old T, s *config.Snapshot) (T, error) {
	value, err := d.value(s)
	return d.take(old, value, err)
}

func missing(namespace, name config.Name) error {
	return &refusal{CodeMissing, fmt.Errorf("%w: %s/%s", errMissing, namespace, name)}
}

// decodeJSON reads JSON, which is all that the standard library can.
func decodeJSON(d config.Document, into any) error {
	if d.Kind() != config.JSON {
		return fmt.Errorf("%s needs a decoder of the application's own", d.MediaType)
	}
	return json.Unmarshal(d.Body, into)
}

// step makes a refusal of an error and of a panic: a document that makes its
// reader panic would otherwise kill the application at each start anew.
func step(code string, do func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = &refusal{code: code, err: fmt.Errorf("panicked: %v", reason)}
		}
	}()
	if err := do(); err != nil {
		return &refusal{code: codeOf(err, code), err: err}
	}
	return nil
}

// codeOf is the code that an error brings along, or the one of its step.
func codeOf(err error, otherwise string) string {
	coded, ok := errors.AsType[interface {
		error
		Code() string
	}](err)
	if ok && coded.Code() != "" {
		return coded.Code()
	}
	return otherwise
}

// maxMessage is how many bytes of a reason go into a verdict.
const maxMessage = 1024

// explain returns code and message of a rejected verdict.
func explain(err error) (code, message string) {
	message = err.Error()
	if len(message) > maxMessage {
		message = message[:maxMessage] + " …"
	}
	message = strings.ToValidUTF8(message, "")
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code, message
	}
	return CodeVanished, message
}
