package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects of a document may be nested.
const MaxDepth = 128

// ErrInvalidJSON means that a document is not JSON as Herald takes it.
var ErrInvalidJSON = errors.New("invalid JSON")

// A Fault is a place in a document and what is wrong there.
type Fault struct {
	Path    string `json:"path"` // a JSON Pointer (RFC 6901)
	Message string `json:"message"`
}

// A FaultyDocument is an error that names places in a document.
type FaultyDocument struct {
	Err    error // the sentinel
	Faults []Fault
}

func (e *FaultyDocument) Error() string {
	text := e.Err.Error()
	for _, f := range e.Faults {
		text += ": " + strings.TrimPrefix(f.Path+" "+f.Message, " ")
	}
	return text
}

func (e *FaultyDocument) Unwrap() error { return e.Err }

// CheckJSON returns nil for one JSON value in UTF-8 (RFC 8259) whose objects name
// no key twice and that is not nested deeper than MaxDepth. Otherwise the error
// is a *FaultyDocument that wraps ErrInvalidJSON and says where.
func CheckJSON(body []byte) error {
	if !utf8.Valid(body) {
		return faulty("", "not UTF-8")
	}
	c := &jsonChecker{body: body, dec: json.NewDecoder(bytes.NewReader(body))}
	c.dec.UseNumber()
	if err := c.value(0); err != nil {
		return err
	}
	if _, err := c.dec.Token(); !errors.Is(err, io.EOF) {
		return faulty("", "something stands behind the end of the value, "+c.where())
	}
	return nil
}

func faulty(path, message string) error {
	return &FaultyDocument{Err: ErrInvalidJSON, Faults: []Fault{{Path: path, Message: message}}}
}

type jsonChecker struct {
	body []byte
	dec  *json.Decoder
	path []string
}

// where says the line and column at which the decoder stands.
func (c *jsonChecker) where() string {
	before := c.body[:min(int(c.dec.InputOffset()), len(c.body))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
}

func (c *jsonChecker) fail(message string) error {
	var path strings.Builder
	for _, step := range c.path {
		path.WriteByte('/')
		path.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	return faulty(path.String(), message+", "+c.where())
}

func (c *jsonChecker) syntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return c.fail("the document ends too early")
	}
	return c.fail(err.Error())
}

func (c *jsonChecker) value(depth int) error {
	token, err := c.dec.Token()
	if err != nil {
		return c.syntax(err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth >= MaxDepth {
		return c.fail(fmt.Sprintf("nested deeper than %d", MaxDepth))
	}
	if delim == '{' {
		err = c.members(depth)
	} else {
		err = c.elements(depth)
	}
	if err != nil {
		return err
	}
	if _, err := c.dec.Token(); err != nil {
		return c.syntax(err)
	}
	return nil
}

func (c *jsonChecker) members(depth int) error {
	seen := map[string]bool{}
	for c.dec.More() {
		token, err := c.dec.Token()
		if err != nil {
			return c.syntax(err)
		}
		key, _ := token.(string)
		c.path = append(c.path, key)
		if seen[key] {
			return c.fail("this key stands twice in its object")
		}
		seen[key] = true
		if err := c.value(depth + 1); err != nil {
			return err
		}
		c.path = c.path[:len(c.path)-1]
	}
	return nil
}

func (c *jsonChecker) elements(depth int) error {
	for i := 0; c.dec.More(); i++ {
		c.path = append(c.path, strconv.Itoa(i))
		if err := c.value(depth + 1); err != nil {
			return err
		}
		c.path = c.path[:len(c.path)-1]
	}
	return nil
}
