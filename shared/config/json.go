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
	Config  Name   `json:"config,omitempty"` // where several documents are looked at
}

// A FaultyDocument is an error that names places in a document.
type FaultyDocument struct {
	Err    error // the sentinel
	Faults []Fault
}

func (e *FaultyDocument) Error() string {
	var text strings.Builder
	text.WriteString(e.Err.Error())
	for _, f := range e.Faults {
		text.WriteString(": " + strings.TrimLeft(string(f.Config)+" "+f.Path+" "+f.Message, " "))
	}
	return text.String()
}

func (e *FaultyDocument) Unwrap() error { return e.Err }

// CheckJSON returns nil for one JSON value in UTF-8 (RFC 8259) whose objects name
// no key twice and that is not nested deeper than MaxDepth. Otherwise the error
// is a *FaultyDocument that wraps ErrInvalidJSON and says where.
func CheckJSON(body []byte) error {
	c := &jsonChecker{body: body, dec: json.NewDecoder(bytes.NewReader(body))}
	c.dec.UseNumber()
	if !utf8.Valid(body) {
		c.at = validUTF8(body)
		return c.fail("not UTF-8")
	}
	if bytes.HasPrefix(body, []byte("\ufeff")) {
		return c.fail("a byte order mark stands before the value, and has to go")
	}
	if err := c.value(0); err != nil {
		return err
	}
	if _, err := c.token(); !errors.Is(err, io.EOF) {
		return c.fail("something stands behind the end of the value")
	}
	return nil
}

// validUTF8 is how many bytes come before the first that is not UTF-8.
func validUTF8(body []byte) int {
	n := 0
	for n < len(body) {
		r, size := utf8.DecodeRune(body[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// maxPointer bounds the path of a fault: keys may be as long as the document.
const maxPointer = 1 << 10

type jsonChecker struct {
	body []byte
	dec  *json.Decoder
	path []string
	at   int    // where the last token was read from, or what is none was met
	skip string // what may stand between there and the token
}

const space = " \t\r\n"

// token reads the next token and remembers where it is.
func (c *jsonChecker) token() (json.Token, error) {
	c.at, c.skip = int(c.dec.InputOffset()), space+",:"
	token, err := c.dec.Token()
	if err != nil { // the decoder stands before what it could not read
		c.at, c.skip = int(c.dec.InputOffset()), space
	}
	return token, err
}

// where says the line and column of the last token, counted in characters.
func (c *jsonChecker) where() string {
	rest := bytes.TrimLeft(c.body[min(c.at, len(c.body)):], c.skip)
	before := c.body[:len(c.body)-len(rest)]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("line %d, column %d", line, column)
}

// fail names the place by its path, or by the path of what is around it where
// that is too long to be told.
func (c *jsonChecker) fail(message string) error {
	var path strings.Builder
	for _, step := range c.path {
		step = strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
		if path.Len()+len(step) > maxPointer {
			break
		}
		path.WriteString("/" + step)
	}
	fault := Fault{Path: path.String(), Message: message + ", " + c.where()}
	return &FaultyDocument{Err: ErrInvalidJSON, Faults: []Fault{fault}}
}

func (c *jsonChecker) syntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		c.at = len(c.body)
		return c.fail("the document ends too early")
	}
	return c.fail(err.Error())
}

func (c *jsonChecker) value(depth int) error {
	token, err := c.token()
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
	if _, err := c.token(); err != nil {
		return c.syntax(err)
	}
	return nil
}

func (c *jsonChecker) members(depth int) error {
	var seen map[string]bool // made late: a document may be full of {}
	for c.dec.More() {
		token, err := c.token()
		if err != nil {
			return c.syntax(err)
		}
		key, _ := token.(string)
		c.path = append(c.path, key)
		if seen[key] {
			return c.fail("this key stands twice in its object")
		}
		if seen == nil {
			seen = map[string]bool{}
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
