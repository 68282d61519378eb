package domain

import (
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A WorkerState says how a worker stands to a revision.
type WorkerState string

// The states of a worker: it runs on the revision or a newer one; it has not said
// so; it refused it; it is not heard from.
const (
	Current    WorkerState = "current"
	Behind     WorkerState = "behind"
	Rejected   WorkerState = "rejected"
	WorkerLost WorkerState = "lost"
)

// A Standing is what the controller knows of a worker in a namespace.
type Standing struct {
	Worker       string
	Agent        string
	Namespace    config.Name
	Running      *Mark
	LastRejected *Rejection
	LastSeen     time.Time
	Said         time.Time // when the newest of its verdicts was made, by its own clock
	StoppedAt    time.Time // when it said goodbye; zero while it has not
}

// A Rejection is the newest revision that a worker refused, and why.
type Rejection struct {
	Mark
	Code    string
	Message string
}

// Observe returns the standing with the knowledge of a verdict that was heard at
// that time. A verdict that is older than what is known, or that is known
// already, changes no more than when the worker was last seen; one that was made
// before the worker said goodbye changes nothing at all.
func (s Standing) Observe(v config.Verdict, at time.Time) Standing {
	mark := Mark{Position: v.Position(), At: v.At}
	if v.At.IsZero() {
		mark.At = at
	}
	if s.Stopped() && !mark.At.After(s.StoppedAt) {
		return s
	}
	if s.Worker, s.Namespace, s.StoppedAt = v.Worker, v.Namespace, (time.Time{}); !mark.At.Before(s.Said) {
		s.Agent = v.Agent
	}
	s.LastSeen, s.Said = later(s.LastSeen, at), later(s.Said, mark.At)
	running, rejected := s.Running, s.lastRejected()
	switch {
	case v.Status == config.Applied && mark.overrides(running, rejected):
		s.Running = &mark
	case v.Status == config.Rejected && mark.overrides(rejected, running):
		s.LastRejected = &Rejection{Mark: mark, Code: v.Code, Message: v.Message}
	}
	return s
}

// Stopped reports whether the worker has said goodbye.
func (s Standing) Stopped() bool { return !s.StoppedAt.IsZero() }

// Leave returns the standing with the knowledge that the worker said goodbye: said
// is when it did by its own clock, zero where it does not say, and at is when it
// was heard. A goodbye from before the newest verdict comes late, from a run that
// another has followed, and changes nothing. One from the future counts as of now,
// or a clock that was wrong would hide the worker until that future is there.
func (s Standing) Leave(said, at time.Time) Standing {
	if said.IsZero() {
		said = at
	}
	if said.Before(s.Said) {
		return s
	}
	if said.After(at) {
		said = at
	}
	s.StoppedAt, s.LastSeen = later(s.StoppedAt, said), later(s.LastSeen, at)
	return s
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (s Standing) lastRejected() *Mark {
	if s.LastRejected == nil {
		return nil
	}
	return &s.LastRejected.Mark
}

// overrides reports whether the mark of a verdict says more than known, the last
// verdict of its kind, does: a later position, or the same one after the
// contrary was said of it. A worker may be mended, or start again with other code.
func (m Mark) overrides(known, contrary *Mark) bool {
	if known == nil || m.Compare(known.Position) > 0 {
		return true
	}
	return m.Position == known.Position && contrary.overrules(*known) && m.At.After(contrary.At)
}

// overrules reports whether m is the later of two contrary verdicts on a revision.
func (m *Mark) overrules(other Mark) bool {
	return m != nil && m.Position == other.Position && m.At.After(other.At)
}

// Same reports whether two standings say the same, but for when the worker was
// last seen.
func (s Standing) Same(other Standing) bool {
	return s.Worker == other.Worker && s.Agent == other.Agent && s.StoppedAt.Equal(other.StoppedAt) &&
		equal(s.Running, other.Running) && equal(s.LastRejected, other.LastRejected)
}

func equal[T comparable](a, b *T) bool {
	return a == b || (a != nil && b != nil && *a == *b)
}

// State says how the worker stands to a position that is wanted. heard is as with
// Agent.State; interval is the poll interval of its agent.
func (s Standing) State(wanted config.Position, at, heard time.Time, interval time.Duration) WorkerState {
	runs := s.Running != nil && s.Running.Compare(wanted) >= 0
	rejected := s.lastRejected()
	refuses := rejected != nil && rejected.Compare(wanted) >= 0
	switch {
	case silence(s.LastSeen, heard, at) > lostAfter*interval:
		return WorkerLost
	case runs && !rejected.overrules(*s.Running):
		return Current
	case refuses:
		return Rejected
	}
	return Behind
}
