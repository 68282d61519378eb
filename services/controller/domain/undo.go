package domain

import (
	"fmt"

	"github.com/heraldconf/herald/shared/config"
)

// beside are the deletions of what stands beside the changes of a proposal for the
// whole namespace. They are found where the commit is made, so that nothing slips
// in between.
func (n Namespace) beside(p Proposal) []Change {
	if !p.Whole {
		return nil
	}
	kept := map[config.Name]bool{}
	for _, change := range p.Changes {
		kept[change.Name] = true
	}
	var changes []Change
	for name := range n.Configs {
		if !kept[name] {
			changes = append(changes, Change{Op: Delete, Name: name})
		}
	}
	return changes
}

// checkUntouched returns an error that wraps ErrStaleBase if something later than
// the revision that the proposal undoes has touched the same configs.
func (n Namespace) checkUntouched(p Proposal) error {
	if p.Undoes == 0 {
		return nil
	}
	var later []config.Fault
	for _, change := range p.Changes {
		last := n.Tombstones[change.Name]
		if standing, stands := n.Configs[change.Name]; stands {
			last = standing.Revision
		}
		if last != p.Undoes {
			later = append(later, config.Fault{Path: "/" + string(change.Name), Message: fmt.Sprintf("was changed by revision %d", last)})
		}
	}
	if len(later) == 0 {
		return nil
	}
	return &config.FaultyDocument{
		Err:    fmt.Errorf("%w: revision %d cannot be taken back alone any more", ErrStaleBase, p.Undoes),
		Faults: later,
	}
}
