package sdk

import (
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// The states of an agent. Down is also what nobody has reached yet.
const (
	OK   = "ok"
	Down = "down"
)

// A Status is how a Value is, and encodes as the JSON of a worker's status.
type Status struct {
	Worker       string      `json:"id"`
	Agent        AgentStatus `json:"agent"`
	Namespace    config.Name `json:"namespace"`
	Running      *Running    `json:"running"`       // nil before the first config
	LastRejected *Rejected   `json:"last_rejected"` // nil until there is one
}

// An AgentStatus is how the agent was when it was asked last.
type AgentStatus struct {
	URL         string    `json:"url"`
	ID          string    `json:"id,omitempty"` // "" until it is known
	State       string    `json:"state"`        // OK or Down
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastError   string    `json:"last_error"`
}

// Running is what the application runs on.
type Running struct {
	config.Position
	Since time.Time `json:"since"`
}

// Rejected is the revision that was refused last, and why.
type Rejected struct {
	config.Position
	Code    string    `json:"code"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

// A statusBoard holds the Status for whoever asks.
type statusBoard struct {
	mu  sync.Mutex
	now Status
}

func (b *statusBoard) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *statusBoard) set(change func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.now)
}
