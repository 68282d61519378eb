// Package trust says whose signatures count: it knows the keys that somebody
// pinned or was given, follows the chain from them to newer ones, and keeps what
// it learned in a folder, so that it follows that chain offline too. It knows no
// HTTP: where keys are asked for is a function that it is given.
package trust

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/heraldconf/herald/shared/config"
)

// A Setting says whose signatures count.
type Setting struct {
	nobody bool        // no signature is asked for
	given  config.Keys // these, and those that they vouch for; empty pins the keys that are seen first
}

// FirstUse pins the keys that are seen first, and counts those and what they
// vouch for from then on.
func FirstUse() Setting { return Setting{} }

// None asks for no signature.
func None() Setting { return Setting{nobody: true} }

// Given counts these keys and what they vouch for.
func Given(keys config.Keys) Setting { return Setting{given: keys} }

// Parse reads a setting as an operator writes it: first-use, none, or a file with
// the JSON of /v1/signing-keys. Empty is first-use.
func Parse(s string) (Setting, error) {
	switch s {
	case "", "first-use":
		return FirstUse(), nil
	case "none":
		return None(), nil
	}
	keys, err := readKeys(s)
	if err != nil {
		return Setting{}, fmt.Errorf("%w; write first-use, none, or a file with the answer of /v1/signing-keys", err)
	}
	return Given(keys), nil
}

// ParseKeys reads what a worker is told, which pins nothing: a file with the JSON of
// /v1/signing-keys, or none for no keys, as empty is.
func ParseKeys(s string) (config.Keys, error) {
	switch s {
	case "", "none":
		return nil, nil
	case "first-use":
		return nil, errors.New("first-use is for agents; write a file with the answer of /v1/signing-keys, or none")
	}
	keys, err := readKeys(s)
	if err != nil {
		return nil, fmt.Errorf("%w; write a file with the answer of /v1/signing-keys, or none", err)
	}
	return keys, nil
}

func readKeys(path string) (config.Keys, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	body, err := io.ReadAll(io.LimitReader(file, config.MaxKeysBody+1))
	if err != nil {
		return nil, err
	}
	keys, err := config.ParseKeys(body)
	if err == nil && len(keys) == 0 {
		err = errors.New("no key is in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}
