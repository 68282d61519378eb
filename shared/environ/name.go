package environ

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// nameOf is a part of a variable's name.
func nameOf(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		}
		return '_'
	}, s)
}

// reserved says whether a variable decides which code runs rather than how, or is
// one of Herald's own.
func reserved(name string) bool {
	for _, prefix := range []string{"HERALD_", "LD_", "DYLD_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"PATH", "IFS", "BASH_ENV"}, name)
}

// textOf is a value of JSON, other than an object, as a variable has it.
func textOf(value any) (string, error) {
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	case bool:
		return strconv.FormatBool(value), nil
	case nil:
		return "null", nil
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return "", fmt.Errorf("write it as JSON: %w", err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// withoutNewline takes off the newline that ends a text file.
func withoutNewline(text string) string {
	text, ended := strings.CutSuffix(text, "\n")
	if ended {
		text = strings.TrimSuffix(text, "\r")
	}
	return text
}
