package main

import (
	"cmp"
	"slices"

	"github.com/heraldconf/herald/shared/config"
)

// A step is what one revision did, as far as two snapshots tell.
type step struct {
	Namespace config.Name     `json:"namespace"`
	Revision  config.Revision `json:"revision"`
	Added     []config.Name   `json:"added"`
	Changed   []config.Name   `json:"changed"`
	Removed   []config.Name   `json:"removed"`
}

// stepsBetween tells what led from one snapshot, nil for nothing, to a later one:
// a step for each revision that left a mark, in their order. In another epoch the
// revisions begin anew, and all that differs is one step.
func stepsBetween(held, newer *config.Snapshot) []step {
	if held == nil {
		held = &config.Snapshot{Position: config.Position{Epoch: newer.Epoch}}
	}
	steps := map[config.Revision]*step{}
	at := func(revision config.Revision) *step {
		if held.Epoch != newer.Epoch {
			revision = newer.Revision
		}
		if steps[revision] == nil {
			steps[revision] = &step{newer.Namespace, revision, []config.Name{}, []config.Name{}, []config.Name{}}
		}
		return steps[revision]
	}
	at(newer.Revision)
	for _, e := range newer.Configs {
		before, stood := held.Config(e.Name)
		switch {
		case !stood:
			s := at(e.Revision)
			s.Added = append(s.Added, e.Name)
		case before.ETag != e.ETag || (before.Revision != e.Revision && held.Epoch == newer.Epoch):
			s := at(e.Revision)
			s.Changed = append(s.Changed, e.Name)
		}
	}
	for _, e := range held.Configs {
		if _, stands := newer.Config(e.Name); !stands {
			s := at(removedAt(newer, e.Name))
			s.Removed = append(s.Removed, e.Name)
		}
	}
	var ordered []step
	for _, s := range steps {
		ordered = append(ordered, *s)
	}
	slices.SortFunc(ordered, func(a, b step) int { return cmp.Compare(a.Revision, b.Revision) })
	return ordered
}

func removedAt(s *config.Snapshot, name config.Name) config.Revision {
	for _, t := range s.Tombstones {
		if t.Name == name {
			return t.Revision
		}
	}
	return s.Revision
}
