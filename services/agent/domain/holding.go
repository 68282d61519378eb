// Package domain is the rules of an agent as values: what it holds of a
// namespace, when that is stale, and what may follow it. It knows no HTTP, disk
// or bus, and takes the time as an argument.
package domain

import (
	"errors"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// Why an agent has nothing to serve.
var (
	// ErrAbsent means that upstream says there is no such thing: a namespace that
	// is not written, or a register where upstream is an agent.
	ErrAbsent = errors.New("not there upstream")
	// ErrUnavailable means that a namespace was never fetched and cannot be now.
	ErrUnavailable = errors.New("not fetched yet")
	// ErrTooMany means that the agent follows as many namespaces as it will.
	ErrTooMany = errors.New("too many namespaces followed")
)

// MaxNamespaces is how many namespaces an agent follows at most.
const MaxNamespaces = 1000

// An Answer is what upstream said of a namespace.
type Answer struct {
	Snapshot *config.Snapshot // nil if what is held is still the newest
	Age      time.Duration    // since upstream itself confirmed it, where upstream is an agent
	Stale    bool             // upstream cannot confirm it now
	Interval time.Duration    // the poll interval that was told, 0 if none was
	Via      []string         // the agents it came through, nearest to the controller first
}

// A Holding is what an agent has of a namespace, and how sure it is of it.
type Holding struct {
	Snapshot  *config.Snapshot // nil for nothing
	Confirmed time.Time        // when it was last known to be the newest
	Stale     bool             // it cannot be confirmed now
	Known     bool             // upstream has answered, or failed to, at least once
	Absent    bool             // upstream says that there is no such namespace
	Err       error            // why the last pull failed, nil if it did not
	Via       string           // the agents that the last answer came through, as Answer.Via, each followed by a space but the last
	Withheld  *Withheld        // what upstream has and is refused, nil for nothing
	Unkept    error            // why it is in memory alone, nil if it is on disk
	Damage    error            // what was wrong with the newest generation on disk, nil once another is kept
}

// Restored is the holding of a snapshot from disk: stale until it is confirmed.
func Restored(snapshot *config.Snapshot, confirmed time.Time) Holding {
	return Holding{Snapshot: snapshot, Confirmed: confirmed, Stale: true}
}

// Accept returns the holding that follows once a newer snapshot is kept, or the
// error of config.Snapshot.Succeeds, ErrRewritten or ErrShrunk.
func (h Holding) Accept(a Answer, at time.Time) (Holding, error) {
	if err := succeeds(a.Snapshot, h.Snapshot); err != nil {
		return h, err
	}
	h.Snapshot = a.Snapshot
	return h.Observe(a, nil, at), nil
}

// Kept returns the holding after the disk was asked to keep it; err says why it
// could not.
func (h Holding) Kept(err error) Holding {
	if h.Unkept = err; err == nil {
		h.Damage = nil
	}
	return h
}

// Observe returns the holding after a pull that ended so. A failure, or a 404 of
// what is held, makes it stale and takes nothing away.
func (h Holding) Observe(a Answer, err error, at time.Time) Holding {
	h.Known, h.Err, h.Withheld = true, err, h.withheld(a, err, at)
	if err == nil || len(a.Via) > 0 {
		h.Via = strings.Join(a.Via, " ") // of a loop too: so that the others in it see it as well
	}
	h.Absent = h.Snapshot == nil && errors.Is(err, ErrAbsent)
	if h.Absent {
		h.Err = nil
	}
	if err != nil {
		h.Stale = h.Snapshot != nil
		return h
	}
	h.Confirmed, h.Stale = at.Add(-a.Age), a.Stale
	return h
}

// Path is the agents that what is served came through, the one of that ID being
// the last: nearest to the controller first.
func (h Holding) Path(id string) []string { return Below(strings.Fields(h.Via), id) }

// Age is the time since the holding was confirmed.
func (h Holding) Age(at time.Time) time.Duration { return max(0, at.Sub(h.Confirmed)) }

// Check returns nil if there is something to serve, else ErrAbsent or
// ErrUnavailable.
func (h Holding) Check() error {
	switch {
	case h.Snapshot != nil:
		return nil
	case h.Absent:
		return ErrAbsent
	}
	return ErrUnavailable
}

// Has reports whether it is that very snapshot that is held.
func (h Holding) Has(s *config.Snapshot) bool {
	return h.Snapshot != nil && s != nil && h.Snapshot.Position == s.Position && h.Snapshot.Digest == s.Digest && h.Snapshot.Signature == s.Signature
}
