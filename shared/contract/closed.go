package contract

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// closed returns the document with every object closed that lists its members and
// does not say whether there may be others: clients leave alone what they do not
// know, but a service's own tests must not answer what nobody wrote down.
func closed(text []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	closeObjects(&document)
	out, err := yaml.Marshal(&document)
	if err != nil {
		return nil, fmt.Errorf("write the contract: %w", err)
	}
	return out, nil
}

func closeObjects(node *yaml.Node) {
	for _, child := range node.Content {
		closeObjects(child)
	}
	if node.Kind != yaml.MappingNode || member(node, "properties") == nil || member(node, "additionalProperties") != nil {
		return
	}
	if kind := member(node, "type"); kind != nil && (kind.Value == "object" || (kind.Kind == yaml.SequenceNode && kind.Content[0].Value == "object")) {
		node.Content = append(node.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Value: "additionalProperties"}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"})
	}
}

// member returns the value of a mapping's key, nil where it is not there.
func member(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}
