package domain

import (
	"slices"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// How many poll intervals somebody may be silent.
const (
	lateAfter = 2
	lostAfter = 5
)

// An AgentState says whether an agent is heard from.
type AgentState string

// The states of an agent: Late has missed two polls, Lost five.
const (
	Online AgentState = "online"
	Late   AgentState = "late"
	Lost   AgentState = "lost"
)

// A Registration is what an agent says of itself.
type Registration struct {
	ID         string            `json:"id"`
	Hostname   string            `json:"hostname"`
	Labels     map[string]string `json:"labels"`
	Version    string            `json:"version"`
	Namespaces []config.Name     `json:"namespaces"`
	Via        string            `json:"via,omitempty"` // the agent above it that passed this on, "" for none
	Owner      string            `json:"-"`             // the name of the tokens that speak for it; "" is anybody's
}

// Hears reports whether the actor speaks for the agent: an admin, and of the role
// agent who registered it, or whose token is named as the agent is.
func (a Agent) Hears(actor Actor) bool {
	if actor.Role != AgentRole {
		return actor.Role == Admin
	}
	return a.Owner == "" || a.Owner == actor.Name || a.ID == actor.Name
}

// An Agent is what the controller knows of an agent.
type Agent struct {
	Registration
	Assigned []config.Name // by the operator, beside what it follows itself
	Interval time.Duration // its own poll interval; 0 is the controller's
	LastSeen time.Time
	Fetched  map[config.Name]Mark
	Refused  map[config.Name]Refusal

	StoppedAt time.Time // when it said goodbye; zero while it has not
}

// A Mark is a position that was reached, and when.
type Mark struct {
	config.Position
	At time.Time `json:"at"`
}

// Follows returns the namespaces that the agent follows or should, in order.
func (a Agent) Follows() []config.Name {
	all := slices.Concat(a.Namespaces, a.Assigned)
	slices.Sort(all)
	return slices.Compact(all)
}

// Keep returns the agent with the knowledge that it has fetched a position. What
// is older than what is known changes nothing, and changed is false.
func (a Agent) Keep(namespace config.Name, mark Mark) (next Agent, changed bool) {
	known, ok := a.Fetched[namespace]
	if ok && mark.Compare(known.Position) <= 0 {
		return a, false
	}
	fetched := map[config.Name]Mark{namespace: mark}
	for other, known := range a.Fetched {
		if other != namespace {
			fetched[other] = known
		}
	}
	a.Fetched = fetched
	return a, true
}

// State says whether the agent is heard from. One that said goodbye is lost at
// once. heard is when it could have been
// heard first: nobody misses a poll of a controller that did not run.
func (a Agent) State(at, heard time.Time, interval time.Duration) AgentState {
	switch silent := silence(a.LastSeen, heard, at); {
	case !a.StoppedAt.IsZero(), silent > lostAfter*interval:
		return Lost
	case silent > lateAfter*interval:
		return Late
	}
	return Online
}

// silence is how long somebody was not heard by a controller that listens since
// heard.
func silence(seen, heard, at time.Time) time.Duration {
	if seen.Before(heard) {
		seen = heard
	}
	return at.Sub(seen)
}
