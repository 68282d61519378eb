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

// A refusal is why a config is not taken over.
type refusal struct {
	code string
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// judge returns the value of a config, if it is good: it decodes, it is valid,
// and the application takes it.
func (w *Watcher[T]) judge(old T, entry config.Entry) (value T, err error) {
	err = step(CodeDecode, func() (err error) {
		value, err = w.decode(entry)
		return err
	})
	if err == nil {
		err = step(CodeValidate, func() error { return w.validate(value) })
	}
	if err == nil && w.options.OnChange != nil {
		err = step(CodeRefused, func() error { return w.options.OnChange(old, value) })
	}
	return value, err
}

func (w *Watcher[T]) decode(entry config.Entry) (value T, err error) {
	if w.options.Decode != nil {
		return w.options.Decode(entry.Body, entry.MediaType)
	}
	if entry.Kind() != config.JSON {
		return value, fmt.Errorf("%s needs a decoder of the application's own", entry.MediaType)
	}
	err = json.Unmarshal(entry.Body, &value)
	return value, err
}

func (w *Watcher[T]) validate(value T) error {
	if w.options.Validate != nil {
		return w.options.Validate(value)
	}
	for _, candidate := range []any{value, &value} {
		if own, ok := candidate.(interface{ Validate() error }); ok {
			return own.Validate()
		}
	}
	return nil
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
	switch r, ok := errors.AsType[*refusal](err); {
	case ok:
		return r.code, message
	case errors.Is(err, errMissing):
		return CodeMissing, message
	}
	return CodeVanished, message
}
