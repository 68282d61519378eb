package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/heraldconf/herald/shared/config"
)

// maxYAMLNodes is how many values a YAML document may have with its aliases
// followed: nine short lines can stand for a billion.
const maxYAMLNodes = 1 << 20

// maxYAMLDepth counts the document itself and its innermost values, which
// config.MaxDepth does not.
const maxYAMLDepth = config.MaxDepth + 1

// checkYAML returns nil for a stream of YAML documents, each well formed, without
// doubled keys, and of bounded depth and size once its aliases are followed.
func checkYAML(body []byte) error {
	if !utf8.Valid(body) {
		return faulty(ErrInvalidYAML, "not UTF-8")
	}
	dec := yaml.NewDecoder(bytes.NewReader(body))
	for {
		var document yaml.Node
		err := dec.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return faulty(ErrInvalidYAML, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		c := yamlChecker{extents: map[*yaml.Node]extent{}}
		if _, err := c.measure(&document, 0); err != nil {
			return err
		}
	}
}

// A yamlChecker walks a document once. An alias counts as much as what it stands
// for, and is not followed.
type yamlChecker struct {
	extents map[*yaml.Node]extent // of each node that was come to
}

// An extent is how much a node stands for.
type extent struct {
	values int // 0 while it is being measured
	height int
}

func yamlFault(n *yaml.Node, message string) error {
	return faulty(ErrInvalidYAML, fmt.Sprintf("%s, line %d, column %d", message, n.Line, n.Column))
}

func (c *yamlChecker) measure(n *yaml.Node, depth int) (extent, error) {
	if n.Kind == yaml.AliasNode {
		known := c.extents[n.Alias]
		if known.values == 0 {
			return extent{}, yamlFault(n, "an alias that stands for itself")
		}
		return known, c.bounds(n, known, depth)
	}
	all := extent{values: 1}
	if err := c.bounds(n, all, depth); err != nil {
		return extent{}, err
	}
	c.extents[n] = extent{}
	for _, child := range n.Content {
		part, err := c.measure(child, depth+1)
		if err != nil {
			return extent{}, err
		}
		all.values += part.values
		all.height = max(all.height, part.height+1)
		if err := c.bounds(child, all, depth); err != nil {
			return extent{}, err
		}
	}
	c.extents[n] = all
	if n.Kind == yaml.MappingNode {
		return all, checkKeys(n)
	}
	return all, nil
}

// bounds refuses a node of that extent at that depth.
func (c *yamlChecker) bounds(n *yaml.Node, e extent, depth int) error {
	switch {
	case depth+e.height > maxYAMLDepth:
		return yamlFault(n, fmt.Sprintf("nested deeper than %d, aliases followed", config.MaxDepth))
	case e.values > maxYAMLNodes:
		return yamlFault(n, fmt.Sprintf("more than %d values, aliases followed", maxYAMLNodes))
	}
	return nil
}

// checkKeys refuses a mapping that names a key twice. Keys that are themselves
// lists or mappings are not compared.
func checkKeys(mapping *yaml.Node) error {
	seen := map[[2]string]bool{}
	for i := 0; i < len(mapping.Content); i += 2 {
		key := mapping.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			continue
		}
		id := [2]string{key.ShortTag(), key.Value}
		if seen[id] {
			return yamlFault(mapping.Content[i], fmt.Sprintf("the key %q stands twice in its mapping", key.Value))
		}
		seen[id] = true
	}
	return nil
}
