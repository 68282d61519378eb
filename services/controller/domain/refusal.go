package domain

import (
	"fmt"
	"maps"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A Refusal is a revision that an agent does not go over to, and why; and who let
// it through, if somebody did.
type Refusal struct {
	Mark
	ETag       config.ETag `json:"etag,omitempty"`
	Code       string      `json:"code"`
	Message    string      `json:"message"`
	AcceptedBy string      `json:"accepted_by,omitempty"`
}

// Refuse returns the agent with the knowledge that it refuses a revision. What is
// older than what is known of the namespace changes nothing, and neither does what
// is known.
func (a Agent) Refuse(namespace config.Name, r Refusal) (next Agent, changed bool) {
	known, ok := a.Refused[namespace]
	same := known.Position == r.Position && known.ETag == r.ETag && known.Code == r.Code && known.Message == r.Message
	if ok && (same || r.At.Before(known.At)) || r.At.Before(a.Fetched[namespace].At) {
		return a, false
	}
	a.Refused = maps.Clone(a.Refused)
	if a.Refused == nil {
		a.Refused = map[config.Name]Refusal{}
	}
	a.Refused[namespace] = r
	return a, true
}

// Relent returns the agent after it said that it has a revision: what it refused
// of the namespace before then it refuses no more.
func (a Agent) Relent(namespace config.Name, mark Mark) (next Agent, changed bool) {
	known, ok := a.Refused[namespace]
	if !ok || (mark.At.Before(known.At) && mark.Position != known.Position) {
		return a, false
	}
	a.Refused = maps.Clone(a.Refused)
	delete(a.Refused, namespace)
	return a, true
}

// Accept returns the agent with the operator's word that what it refuses may pass.
// It fails with an error that wraps ErrNotFound where it refuses nothing of the
// namespace, and ErrPrecondition where that is another revision, or is older or
// not signed, which nobody can let through.
func (a Agent) Accept(namespace config.Name, at config.Position, by Actor) (Agent, error) {
	known, ok := a.Refused[namespace]
	switch {
	case !ok:
		return a, fmt.Errorf("%w: agent %s refuses nothing of %s", ErrNotFound, a.ID, namespace)
	case known.Position != at:
		return a, fmt.Errorf("%w: what agent %s refuses of %s is revision %d of epoch %s", ErrPrecondition, a.ID, namespace, known.Revision, known.Epoch)
	case known.ETag == "", known.Code == "older", known.Code == "signature":
		return a, fmt.Errorf("%w: what is refused as %q cannot be let through: %s", ErrPrecondition, known.Code, known.Message)
	}
	known.AcceptedBy = by.Name
	a.Refused = maps.Clone(a.Refused)
	a.Refused[namespace] = known
	return a, nil
}

// ActionAgentAccept is what the audit calls an Acceptance.
const ActionAgentAccept = "agent.accept"

// Acceptance tells the audit of what an operator let through.
func (a Agent) Acceptance(namespace config.Name, by Actor, at time.Time) Entry {
	r := a.Refused[namespace]
	return Entry{
		At: at, Actor: by, Action: ActionAgentAccept, Target: a.ID, Outcome: OutcomeDone,
		Detail: fmt.Sprintf("%s@%d of epoch %s, refused as %s", namespace, r.Revision, r.Epoch, r.Code),
	}
}
