package usecase

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A SchemaStore reads schemas. Its errors wrap domain.ErrNotFound or ErrUnavailable.
type SchemaStore interface {
	// Schemas returns the schemas that stand in a namespace, with their documents.
	Schemas(ctx context.Context, namespace config.Name) ([]config.Entry, error)
	// Schema returns one as it stood at a revision, or as it stands if that is 0.
	Schema(ctx context.Context, namespace, name config.Name, at config.Revision) (config.Entry, error)
	// ListSchemas lists those that stand, in name order, from behind the given name on.
	ListSchemas(ctx context.Context, namespace, after config.Name, limit int) ([]domain.Config, error)
}

// A SchemaSet is schemas that stand beside each other.
type SchemaSet interface {
	// Uses returns of which schemas one is made, or an error that is the answer to
	// whoever wrote it, if it is none or refers to what is not there.
	Uses(name config.Name) ([]config.Name, error)
	// Check returns a *config.FaultyDocument for a document that does not meet a
	// schema, or an error as Uses does.
	Check(name config.Name, d config.Document) error
}

// maxSets is of how many namespaces the schemas are held in memory.
const maxSets = 32

// Schemas keeps schemas, and holds commits to them: a schema governs the config
// of its own name.
type Schemas struct {
	SchemaStore
	// JudgeFor is how long one commit may be held to its schemas. A single document is
	// bounded by less; this is for many of them. It is set before the first commit.
	JudgeFor  time.Duration
	documents History
	read      func(all map[config.Name][]byte) SchemaSet

	mu   sync.Mutex
	sets map[config.Name]schemaSet
}

// A schemaSet is one in memory, and of which documents it was made.
type schemaSet struct {
	SchemaSet
	of map[config.Name]config.ETag
}

// NewSchemas returns the schemas of a store. read makes a set of their documents.
func NewSchemas(store SchemaStore, documents History, read func(all map[config.Name][]byte) SchemaSet) *Schemas {
	return &Schemas{SchemaStore: store, JudgeFor: 15 * time.Second, documents: documents, read: read, sets: map[config.Name]schemaSet{}}
}

// setAfter returns the schemas that stand once the commit is made. While no schema
// changes they are those in memory.
func (s *Schemas) setAfter(ctx context.Context, now domain.Namespace, made domain.Commit) (SchemaSet, error) {
	if len(made.Schemas) == 0 {
		if held, ok := s.held(now); ok {
			return held, nil
		}
	}
	bodies := map[config.Name][]byte{}
	if len(now.Schemas) > 0 {
		entries, err := s.Schemas(ctx, now.Name)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			bodies[e.Name] = e.Body
		}
	}
	for _, change := range made.Schemas {
		delete(bodies, change.Name)
		if change.Op == domain.PutSchema {
			bodies[change.Name] = change.Body
		}
	}
	set := s.read(bodies)
	if len(made.Schemas) == 0 {
		s.hold(now, set)
	}
	return set, nil
}

// held returns the set in memory if it is of the schemas that stand now.
func (s *Schemas) held(now domain.Namespace) (SchemaSet, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.sets[now.Name]
	return held.SchemaSet, ok && maps.Equal(held.of, etagsOf(now.Schemas))
}

func (s *Schemas) hold(now domain.Namespace, set SchemaSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.sets {
		if len(s.sets) < maxSets {
			break
		}
		delete(s.sets, name) // any: what is asked for again is read again
	}
	s.sets[now.Name] = schemaSet{set, etagsOf(now.Schemas)}
}

func etagsOf(schemas map[config.Name]domain.Config) map[config.Name]config.ETag {
	etags := make(map[config.Name]config.ETag, len(schemas))
	for name, schema := range schemas {
		etags[name] = schema.ETag
	}
	return etags
}
