// Package diff says what changed between two documents: a unified diff for people,
// and a JSON Patch (RFC 6902) where both are JSON. It knows no store and no
// revisions, and bounds the time that it takes over what is hard to compare.
package diff

import (
	"bytes"
	"encoding/json"

	"github.com/wI2L/jsondiff"

	"github.com/heraldconf/herald/shared/config"
)

// An Op says what became of a config.
type Op string

// What becomes of a config.
const (
	Added   Op = "added"
	Changed Op = "changed"
	Removed Op = "removed"
)

// A Change is what became of one config.
type Change struct {
	Name config.Name `json:"name"`
	Op   Op          `json:"op"`
	// Patch makes the JSON before into the JSON after; it is left out where one of
	// them is not JSON or not there.
	Patch json.RawMessage `json:"patch,omitempty"`
	// Text is a unified diff, or a sentence where a document is not text.
	Text string `json:"text"`
}

// Of returns what became of a config. Either document is nil where it does not
// stand. changed is false for two that are the same.
func Of(name config.Name, before, after *config.Document) (c Change, changed bool) {
	c = Change{Name: name, Op: Changed}
	switch {
	case before == nil && after == nil:
		return c, false
	case before == nil:
		c.Op = Added
	case after == nil:
		c.Op = Removed
	case before.ETag() == after.ETag():
		return c, false
	}
	c.Text = unified(name, before, after)
	if before != nil && after != nil && before.Kind() == config.JSON && after.Kind() == config.JSON {
		c.Patch = patch(before.Body, after.Body)
	}
	return c, true
}

// patch returns the JSON Patch between two JSON documents. Numbers are compared as
// they are written: no digit of a large one is lost.
func patch(before, after []byte) json.RawMessage {
	operations, err := jsondiff.CompareJSON(before, after, jsondiff.UnmarshalFunc(exactly))
	if err != nil {
		return nil // not JSON after all: the text says what changed
	}
	if operations == nil {
		return json.RawMessage("[]")
	}
	text, err := json.Marshal(operations)
	if err != nil {
		return nil
	}
	return text
}

func exactly(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
}
