package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"
)

// The sizes that Herald holds to, in bytes of documents as they were written.
const (
	MaxDocument  = 1 << 20
	MaxNamespace = 8 << 20
	// MaxNames is how many configs and tombstones a namespace has at most.
	MaxNames = 10_000

	maxMediaType = 255
)

// ErrMediaType means that a document cannot be kept under its media type.
var ErrMediaType = errors.New("unsupported media type")

// A Document is what a config holds: bytes, kept as they were written, and what
// kind of bytes they are.
type Document struct {
	MediaType string
	Body      []byte
}

// ETag identifies the document: its bytes and its media type.
func (d Document) ETag() ETag {
	h := sha256.New()
	h.Write([]byte(d.MediaType))
	h.Write([]byte{'\n'})
	h.Write(d.Body)
	return Digest(h.Sum(nil)).ETag()
}

// A Kind says how a document is checked and how a snapshot carries it.
type Kind int

// The kinds of documents. Bytes are not checked at all.
const (
	Bytes Kind = iota
	JSON
	YAML
	TOML
	Text
)

// Kind returns the kind that the document's media type stands for.
func (d Document) Kind() Kind {
	kind, _, _ := strings.Cut(d.MediaType, ";")
	kind = strings.TrimSpace(kind)
	switch kind {
	case "application/json", "text/json":
		return JSON
	case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml":
		return YAML
	case "application/toml", "text/toml":
		return TOML
	}
	switch {
	case strings.HasSuffix(kind, "+json"):
		return JSON
	case strings.HasSuffix(kind, "+yaml"):
		return YAML
	case strings.HasSuffix(kind, "+toml"):
		return TOML
	case strings.HasPrefix(kind, "text/"):
		return Text
	}
	return Bytes
}

// NormalMediaType returns a Content-Type in the one form that is kept: lower
// case, without charset=utf-8. An empty one means JSON. It returns an error that
// wraps ErrMediaType for what no document can have.
func NormalMediaType(contentType string) (string, error) {
	if contentType == "" {
		return "application/json", nil
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(kind, "/") {
		return "", notMediaType(contentType)
	}
	if kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data" {
		return "", fmt.Errorf("%w %s: that is a form; with curl add -H 'Content-Type: application/json' and send the file with --data-binary @FILE",
			ErrMediaType, kind)
	}
	if charset, ok := params["charset"]; ok {
		if !strings.EqualFold(charset, "utf-8") {
			return "", fmt.Errorf("%w %s: documents are UTF-8", ErrMediaType, quote(contentType))
		}
		delete(params, "charset")
	}
	// What mime reads it cannot always write, and escapes may make it longer.
	normal := mime.FormatMediaType(kind, params)
	if normal == "" || len(normal) > maxMediaType {
		return "", notMediaType(contentType)
	}
	return normal, nil
}

func notMediaType(contentType string) error {
	return fmt.Errorf("%w %s: write it as in application/json", ErrMediaType, quote(contentType))
}

// form is the member of a snapshot under which the document stands: "value" for
// JSON, "text" for UTF-8 text, "base64" for everything else. Text that is mostly
// control characters goes as base64, which is shorter than its escapes.
func (d Document) form() string {
	switch d.Kind() {
	case JSON:
		return "value"
	case YAML, TOML, Text:
		if utf8.Valid(d.Body) && escapedLength(d.Body) <= 2*len(d.Body)+2 {
			return "text"
		}
	}
	return "base64"
}
