package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlValue returns what a checked stream of one YAML document says; an empty one
// says null.
func yamlValue(body []byte) (any, error) {
	dec := yaml.NewDecoder(bytes.NewReader(body))
	var document, another yaml.Node
	if err := dec.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, faulty(ErrInvalidYAML, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(&another); !errors.Is(err, io.EOF) {
		return nil, meaningless(nil, "several documents in one stream, where JSON has one value")
	}
	return yamlReading{}.value(document.Content[0])
}

// A yamlReading is the path to what is read.
type yamlReading []string

func (r yamlReading) value(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias)
	case yaml.MappingNode:
		object := map[string]any{}
		return object, r.members(n, object, false)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, element := range n.Content {
			value, err := append(r, strconv.Itoa(i)).value(element)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	}
	return r.scalar(n)
}

// members reads a mapping into an object. What << merges in gives way to what
// stands there itself, wherever that stands.
func (r yamlReading) members(n *yaml.Node, into map[string]any, merged bool) error {
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		name, ok := keyOf(key)
		if !ok {
			return meaningless(r, fmt.Sprintf("a key that is a list or a mapping, line %d, column %d", key.Line, key.Column))
		}
		if _, taken := into[name]; taken {
			if merged {
				continue
			}
			return meaningless(append(r, name), fmt.Sprintf("this key stands twice in its mapping once it is a string, line %d, column %d", key.Line, key.Column))
		}
		read, err := append(r, name).value(value)
		if err != nil {
			return err
		}
		into[name] = read
	}
	for _, from := range merges {
		if err := r.merge(from, into); err != nil {
			return err
		}
	}
	return nil
}

// merge reads what << names: a mapping or a list of them, the first of which wins.
func (r yamlReading) merge(from *yaml.Node, into map[string]any) error {
	if from.Kind == yaml.AliasNode {
		from = from.Alias
	}
	switch from.Kind {
	case yaml.MappingNode:
		return r.members(from, into, true)
	case yaml.SequenceNode:
		for _, each := range from.Content {
			if err := r.merge(each, into); err != nil {
				return err
			}
		}
		return nil
	}
	return meaningless(r, fmt.Sprintf("<< merges a mapping or a list of them, line %d, column %d", from.Line, from.Column))
}

// keyOf is a key as JSON has it: a string, spelled as it was written.
func keyOf(key *yaml.Node) (string, bool) {
	if key.Kind == yaml.AliasNode {
		key = key.Alias
	}
	return key.Value, key.Kind == yaml.ScalarNode
}

func (r yamlReading) scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var is bool
		err := n.Decode(&is)
		return is, r.unreadable(n, err)
	case "!!int":
		return r.integer(n)
	case "!!float":
		return r.float(n)
	}
	return n.Value, nil // a string, or what JSON can only have as one: a time, bytes, a tag of one's own
}

func (r yamlReading) integer(n *yaml.Node) (any, error) {
	text := strings.ReplaceAll(n.Value, "_", "")
	if len(text) <= maxDigits {
		if whole, ok := new(big.Int).SetString(strings.TrimPrefix(text, "+"), 0); ok && !leadsWithZero(text) {
			return json.Number(whole.String()), nil
		}
	}
	var whole int64 // YAML 1.1 writes octal numbers as 0755
	err := n.Decode(&whole)
	return json.Number(strconv.FormatInt(whole, 10)), r.unreadable(n, err)
}

func leadsWithZero(text string) bool {
	text = strings.TrimLeft(text, "+-")
	return len(text) > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9'
}

func (r yamlReading) float(n *yaml.Node) (any, error) {
	var number float64
	if err := n.Decode(&number); err != nil {
		return nil, r.unreadable(n, err)
	}
	if written, ok := decimal(n.Value); ok {
		return written, nil
	}
	return r.number(n, number)
}

// decimal is a number as it was written, where JSON would write it so too: 0.1
// stays 0.1.
func decimal(text string) (json.Number, bool) {
	if !json.Valid([]byte(text)) || !bounded(text) {
		return "", false
	}
	return json.Number(text), true
}

func (r yamlReading) number(n *yaml.Node, number float64) (any, error) {
	if math.IsInf(number, 0) || math.IsNaN(number) {
		return nil, meaningless(r, fmt.Sprintf("%s is no number of JSON, line %d, column %d", n.Value, n.Line, n.Column))
	}
	return json.Number(strconv.FormatFloat(number, 'g', -1, 64)), nil
}

func (r yamlReading) unreadable(n *yaml.Node, err error) error {
	if err == nil {
		return nil
	}
	return meaningless(r, fmt.Sprintf("%q cannot be read as %s, line %d, column %d", n.Value, n.ShortTag(), n.Line, n.Column))
}
