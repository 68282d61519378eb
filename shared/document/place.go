package document

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/heraldconf/herald/shared/config"
)

// A Place is where something stands in a document, counted in characters from 1.
type Place struct{ Line, Column int }

// Locate returns where the value of a JSON Pointer stands in a document of JSON,
// YAML or TOML as it was written, or the innermost value around it that is there.
// ok is false for a document that cannot be read.
func Locate(d config.Document, pointer string) (place Place, ok bool) {
	var path []string
	if pointer != "" {
		for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
			path = append(path, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		}
	}
	switch d.Kind() {
	case config.JSON:
		return placeOf(d.Body, locateJSON(d.Body, path)), json.Valid(d.Body)
	case config.YAML:
		return locateYAML(d.Body, path)
	case config.TOML:
		offset, ok := locateTOML(d.Body, path)
		return placeOf(d.Body, offset), ok
	}
	return Place{}, false
}

// placeOf is the line and column of a byte.
func placeOf(body []byte, offset int) Place {
	before := body[:min(offset, len(body))]
	return Place{
		Line:   bytes.Count(before, []byte{'\n'}) + 1,
		Column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1,
	}
}

// locateJSON walks down the path, over what stands beside it.
func locateJSON(body []byte, path []string) int {
	dec := json.NewDecoder(bytes.NewReader(body))
	for {
		rest := bytes.TrimLeft(body[dec.InputOffset():], " \t\r\n,:")
		offset := len(body) - len(rest)
		if len(path) == 0 {
			return offset
		}
		token, err := dec.Token()
		if delim, opens := token.(json.Delim); err != nil || !opens || !enter(dec, delim, path[0]) {
			return offset
		}
		path = path[1:]
	}
}

// enter reads an object or array up to the value of that key or index.
func enter(dec *json.Decoder, delim json.Delim, step string) bool {
	for i := 0; dec.More(); i++ {
		at := strconv.Itoa(i)
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return false
			}
			at, _ = key.(string)
		}
		if at == step {
			return true
		}
		var beside json.RawMessage
		if dec.Decode(&beside) != nil {
			return false
		}
	}
	return false
}

func locateYAML(body []byte, path []string) (Place, bool) {
	var document yaml.Node
	if yaml.Unmarshal(body, &document) != nil {
		return Place{}, false
	}
	if len(document.Content) == 0 {
		return Place{1, 1}, true
	}
	n := document.Content[0]
	for _, step := range path {
		next := childOf(n, step)
		if next == nil {
			break
		}
		n = next
	}
	return Place{n.Line, n.Column}, true
}

// childOf is the value of a key or index, also of what an alias stands for or <<
// merges in, or nil.
func childOf(n *yaml.Node, step string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i]
		}
		return nil
	}
	var merged *yaml.Node
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		if name, _ := keyOf(n.Content[i]); name == step {
			return n.Content[i+1]
		}
		if n.Content[i].ShortTag() == "!!merge" && merged == nil {
			merged = mergedChild(n.Content[i+1], step)
		}
	}
	return merged
}

func mergedChild(from *yaml.Node, step string) *yaml.Node {
	if from.Kind != yaml.SequenceNode {
		return childOf(from, step)
	}
	for _, each := range from.Content {
		if found := childOf(each, step); found != nil {
			return found
		}
	}
	return nil
}
