// Package domain is the controller's rules as values in, values out: what a
// commit may do to a namespace, and what is known of an agent and of a worker. It
// knows no clock, store, HTTP or bus: time is an argument.
package domain

import (
	"maps"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A Namespace is where a namespace stands, without its documents: all that the
// rules of a commit need.
type Namespace struct {
	Name config.Name
	config.Position
	Head       Hash // of the newest commit
	UpdatedAt  time.Time
	Configs    map[config.Name]Config
	Tombstones map[config.Name]config.Revision
	Settings   Settings
	Schemas    map[config.Name]Config // what the configs of these names must meet
}

// A Config is a standing config, without its document.
type Config struct {
	Name      config.Name     `json:"name"`
	Revision  config.Revision `json:"revision"` // the one that last changed it
	ETag      config.ETag     `json:"etag"`
	MediaType string          `json:"mediaType"`
	Size      int             `json:"size"` // of the document, in bytes
	Empty     bool            `json:"-"`    // whether the document says nothing
}

// A Summary is what a list of namespaces says of one.
type Summary struct {
	Namespace config.Name `json:"namespace"`
	config.Position
	Configs   int       `json:"configs"`
	UpdatedAt time.Time `json:"updated_at"`
	Hash      Hash      `json:"hash"` // of its newest commit
}

// After is where the namespace stands once the commit is made. It shares nothing
// with n that it changes.
func (n Namespace) After(c Commit) Namespace {
	next := Namespace{
		Name: n.Name, Position: c.Position, Head: c.Hash, UpdatedAt: c.At, Settings: n.Settings,
		Configs: map[config.Name]Config{}, Tombstones: map[config.Name]config.Revision{}, Schemas: n.schemasAfter(c),
	}
	maps.Copy(next.Configs, n.Configs)
	maps.Copy(next.Tombstones, n.Tombstones)
	for _, change := range c.Changes {
		if change.Op == Delete {
			delete(next.Configs, change.Name)
			next.Tombstones[change.Name] = c.Revision
			continue
		}
		delete(next.Tombstones, change.Name)
		next.Configs[change.Name] = Config{
			Name: change.Name, Revision: c.Revision, ETag: change.ETag,
			MediaType: change.MediaType, Size: len(change.Body), Empty: Empty(change.Document),
		}
	}
	return next
}

// size is how many bytes the namespace's documents have together.
func (n Namespace) size() int {
	total := 0
	for _, c := range n.Configs {
		total += c.Size
	}
	return total
}
