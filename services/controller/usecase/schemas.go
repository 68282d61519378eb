package usecase

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

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
	return &Schemas{SchemaStore: store, documents: documents, read: read, sets: map[config.Name]schemaSet{}}
}

// check is the rule that a commit's configs meet their schemas, and that what
// stands meets the schemas that it brings. force passes the latter alone: who
// tightens a schema may have good reason, who writes against one has not.
func (s *Schemas) check(ctx context.Context, force bool) domain.Check {
	return func(now domain.Namespace, made domain.Commit) error {
		after := now.After(made)
		if len(after.Schemas) == 0 {
			return nil
		}
		if len(made.Schemas) == 0 && !slices.ContainsFunc(made.Changes, func(c domain.Change) bool { return governs(after, c.Name) }) {
			return nil
		}
		set, err := s.setAfter(ctx, now, made)
		if err != nil {
			return err
		}
		affected, err := affectedBy(set, after, made)
		if err != nil {
			return err
		}
		verdict := schemaVerdict{set: set}
		for _, change := range made.Changes {
			if change.Op == domain.Put && governs(after, change.Name) {
				verdict.judge(change.Name, change.Document)
			}
			delete(affected, change.Name)
		}
		if force {
			return verdict.error()
		}
		if err := s.judgeStanding(ctx, now, affected, &verdict); err != nil {
			return err
		}
		return verdict.error()
	}
}

func governs(n domain.Namespace, name config.Name) bool {
	_, ok := n.Schemas[name]
	return ok
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

// affectedBy compiles what a commit of schemas leaves, and returns the standing
// configs whose schemas it changes, be it through a reference.
func affectedBy(set SchemaSet, after domain.Namespace, made domain.Commit) (map[config.Name]bool, error) {
	affected := map[config.Name]bool{}
	if len(made.Schemas) == 0 {
		return affected, nil
	}
	changed := func(name config.Name) bool {
		return slices.ContainsFunc(made.Schemas, func(c domain.Change) bool { return c.Name == name })
	}
	names := slices.Sorted(maps.Keys(after.Schemas))
	slices.SortStableFunc(names, func(a, b config.Name) int { // those that are written first: their faults are the cause
		return rank(changed(b)) - rank(changed(a))
	})
	for _, name := range names {
		uses, err := set.Uses(name)
		switch {
		case err != nil && changed(name):
			return nil, fmt.Errorf("schema %s/%s: %w", after.Name, name, err)
		case err != nil:
			return nil, fmt.Errorf("schema %s/%s, which stands, would not any more: %w", after.Name, name, err)
		}
		if _, stands := after.Configs[name]; stands && slices.ContainsFunc(uses, changed) {
			affected[name] = true
		}
	}
	return affected, nil
}

func rank(first bool) int {
	if first {
		return 1
	}
	return 0
}

// judgeStanding holds configs that the commit does not touch to their new schemas.
func (s *Schemas) judgeStanding(ctx context.Context, now domain.Namespace, names map[config.Name]bool, verdict *schemaVerdict) error {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		entry, err := s.documents.Document(ctx, now.Name, name, now.Revision)
		if err != nil {
			return err
		}
		verdict.judge(name, entry.Document)
	}
	return nil
}

// maxNamed is how many places of a commit are named in a refusal.
const maxNamed = 100

// A schemaVerdict gathers what is wrong with the configs of a commit.
type schemaVerdict struct {
	set    SchemaSet
	faulty *config.FaultyDocument
	err    error // another than of a document
}

func (v *schemaVerdict) judge(name config.Name, d config.Document) {
	err := v.set.Check(name, d)
	faulty, ok := errors.AsType[*config.FaultyDocument](err)
	switch {
	case err == nil || v.err != nil:
		return
	case !ok:
		v.err = fmt.Errorf("config %s: %w", name, err)
		return
	case v.faulty == nil:
		v.faulty = &config.FaultyDocument{Err: faulty.Err}
	}
	for _, fault := range faulty.Faults {
		fault.Config = name
		if len(v.faulty.Faults) < maxNamed {
			v.faulty.Faults = append(v.faulty.Faults, fault)
		}
	}
}

func (v *schemaVerdict) error() error {
	if v.faulty != nil {
		return v.faulty
	}
	return v.err
}
