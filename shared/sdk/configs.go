package sdk

import (
	"fmt"
	"iter"

	"github.com/heraldconf/herald/shared/config"
)

// Configs are all configs of a namespace as one revision has them. They are never
// changed, and their documents must not be either.
type Configs struct {
	snapshot *config.Snapshot
	decode   func(document []byte, mediaType string, into any) error
}

// Position is where the namespace stands.
func (c Configs) Position() config.Position { return c.snapshot.Position }

// All are the configs in the order of their names.
func (c Configs) All() iter.Seq2[config.Name, config.Document] {
	return func(yield func(config.Name, config.Document) bool) {
		for _, entry := range c.snapshot.Configs {
			if !yield(entry.Name, entry.Document) {
				return
			}
		}
	}
}

// Get returns the config of that name, if there is one.
func (c Configs) Get(name config.Name) (config.Document, bool) {
	entry, ok := c.snapshot.Config(name)
	return entry.Document, ok
}

// Decode reads the config of that name into a pointer. Its error, returned from
// Build, makes a verdict with CodeMissing or CodeDecode that names the config.
func (c Configs) Decode(name config.Name, into any) error {
	document, ok := c.Get(name)
	if !ok {
		return missing(c.snapshot.Namespace, name)
	}
	if err := c.read(document, into); err != nil {
		return &refusal{codeOf(err, CodeDecode), fmt.Errorf("%s/%s: %w", c.snapshot.Namespace, name, err)}
	}
	return nil
}

func (c Configs) read(document config.Document, into any) error {
	if c.decode != nil {
		return c.decode(document.Body, document.MediaType, into)
	}
	if document.Kind() != config.JSON {
		switch into := into.(type) {
		case *string:
			*into = string(document.Body)
			return nil
		case *[]byte:
			*into = append([]byte(nil), document.Body...)
			return nil
		}
	}
	return decodeJSON(document, into)
}
