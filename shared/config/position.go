package config

import (
	"cmp"
	"strings"
)

// A Revision numbers a namespace's states: 1, 2, 3 …; 0 means that nothing was
// written yet. One commit, however many configs it touches, is one revision.
type Revision int64

// An Epoch is the identity of a controller's store: a ULID, so that a later
// epoch sorts after an earlier one. A restore from backup begins a new epoch.
type Epoch string

// A Position is where a namespace stands. Positions are totally ordered.
type Position struct {
	Epoch    Epoch    `json:"epoch"`
	Revision Revision `json:"revision"`
}

// Compare returns -1, 0 or +1 as p lies before, at or after other.
func (p Position) Compare(other Position) int {
	return cmp.Or(strings.Compare(string(p.Epoch), string(other.Epoch)), cmp.Compare(p.Revision, other.Revision))
}
