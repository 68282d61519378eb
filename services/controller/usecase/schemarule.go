package usecase

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// judge is the rule that a commit's configs meet their schemas, and that what
// stands meets the schemas that it brings. force passes the latter alone: who
// tightens a schema may have good reason, who writes against one has not. It ends
// with ctx, between two documents.
func (s *Schemas) judge(ctx context.Context, now domain.Namespace, made domain.Commit, force bool) error {
	after := now.After(made)
	set, err := s.setAfter(ctx, now, made)
	if err != nil {
		return err
	}
	affected, err := affectedBy(ctx, set, after, made)
	if err != nil {
		return err
	}
	verdict := schemaVerdict{set: set}
	for _, change := range made.Changes {
		if ctx.Err() != nil {
			return ctx.Err()
		}
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

// concerned reports whether a commit changes schemas, or configs that have one.
func concerned(after domain.Namespace, made domain.Commit) bool {
	return len(made.Schemas) > 0 || slices.ContainsFunc(made.Changes, func(c domain.Change) bool { return governs(after, c.Name) })
}

func governs(n domain.Namespace, name config.Name) bool {
	_, ok := n.Schemas[name]
	return ok
}

// affectedBy compiles what a commit of schemas leaves, and returns the standing
// configs whose schemas it changes, be it through a reference.
func affectedBy(ctx context.Context, set SchemaSet, after domain.Namespace, made domain.Commit) (map[config.Name]bool, error) {
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
		case ctx.Err() != nil:
			return nil, ctx.Err()
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
