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
		c := yamlChecker{sizes: map[*yaml.Node]int{}}
		if _, err := c.size(&document, 0); err != nil {
			return err
		}
	}
}

// A yamlChecker walks a document once. An alias counts as much as what it stands
// for, and is not followed.
type yamlChecker struct {
	sizes map[*yaml.Node]int // of each node that is done; underway for those that are not
}

const underway = -1

func yamlFault(n *yaml.Node, message string) error {
	return faulty(ErrInvalidYAML, fmt.Sprintf("%s, line %d, column %d", message, n.Line, n.Column))
}

// size returns how many values a node stands for.
func (c *yamlChecker) size(n *yaml.Node, depth int) (int, error) {
	if n.Kind == yaml.AliasNode {
		size, known := c.sizes[n.Alias]
		if !known || size == underway {
			return 0, yamlFault(n, "an alias that stands for itself")
		}
		return size, nil
	}
	if depth > config.MaxDepth {
		return 0, yamlFault(n, fmt.Sprintf("nested deeper than %d", config.MaxDepth))
	}
	c.sizes[n] = underway
	total := 1
	for _, child := range n.Content {
		size, err := c.size(child, depth+1)
		if err != nil {
			return 0, err
		}
		if total += size; total > maxYAMLNodes {
			return 0, yamlFault(child, fmt.Sprintf("more than %d values with all aliases followed", maxYAMLNodes))
		}
	}
	c.sizes[n] = total
	if n.Kind == yaml.MappingNode {
		return total, checkKeys(n)
	}
	return total, nil
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
