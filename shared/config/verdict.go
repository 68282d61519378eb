package config

import (
	"errors"
	"fmt"
	"time"
)

// A Status is a worker's word on a revision.
type Status string

// The two verdicts there are.
const (
	Applied  Status = "applied"
	Rejected Status = "rejected"
)

// A Verdict is what a worker says of a revision: that it runs on it, or that it
// refused it, with a code for programs and a message for people.
type Verdict struct {
	Worker    string    `json:"worker"`
	Agent     string    `json:"agent"`
	Namespace Name      `json:"namespace"`
	Revision  Revision  `json:"revision"`
	Epoch     Epoch     `json:"epoch"`
	Status    Status    `json:"status"`
	Code      string    `json:"code,omitempty"`
	Message   string    `json:"message,omitempty"`
	At        time.Time `json:"at"`
	TookMS    int64     `json:"took_ms"`
}

// Position is where the namespace stood that the verdict is about.
func (v Verdict) Position() Position { return Position{Epoch: v.Epoch, Revision: v.Revision} }

// Fetched says that an agent has a revision and serves it; or, with the status
// Rejected, that it refuses one, why, and which.
type Fetched struct {
	Agent     string    `json:"agent"`
	Namespace Name      `json:"namespace"`
	Revision  Revision  `json:"revision"`
	Epoch     Epoch     `json:"epoch"`
	At        time.Time `json:"at"`

	Status  Status `json:"status,omitempty"` // Rejected, or nothing
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	ETag    ETag   `json:"etag,omitempty"` // of what is refused
}

// Position is where the namespace stood that was fetched.
func (f Fetched) Position() Position { return Position{Epoch: f.Epoch, Revision: f.Revision} }

// Stopped is a goodbye: a worker no longer runs in a namespace, since it stopped
// cleanly. Without a worker and a namespace it is the agent's own.
type Stopped struct {
	Worker    string    `json:"worker,omitempty"`
	Agent     string    `json:"agent"`
	Namespace Name      `json:"namespace,omitempty"`
	At        time.Time `json:"at"`
}

// OfAgent reports whether it is the agent that stopped.
func (s Stopped) OfAgent() bool { return s.Worker == "" && s.Namespace == "" }

// Check returns an error unless the goodbye says of whom it is.
func (s Stopped) Check() error {
	if s.OfAgent() {
		return CheckAgentID(s.Agent)
	}
	if err := CheckWorkerID(s.Worker); err != nil {
		return err
	}
	_, err := ParseName(string(s.Namespace))
	return err
}

// Reports is what an agent hands upward where the bus is not there.
type Reports struct {
	Applied []Verdict `json:"applied,omitempty"`
	Fetched []Fetched `json:"fetched,omitempty"`
	Stopped []Stopped `json:"stopped,omitempty"`
	Seen    []Seen    `json:"seen,omitempty"` // agents below, about once a poll interval
}

// Len is how many reports there are.
func (r Reports) Len() int { return len(r.Applied) + len(r.Fetched) + len(r.Stopped) }

// Check returns an error unless the verdict says who, of what, and which.
func (v Verdict) Check() error {
	if err := CheckWorkerID(v.Worker); err != nil {
		return err
	}
	if _, err := ParseName(string(v.Namespace)); err != nil {
		return err
	}
	if v.Revision < 1 {
		return errors.New("a verdict needs a revision")
	}
	if v.Status != Applied && v.Status != Rejected {
		return fmt.Errorf("unknown verdict %s: applied or rejected", quote(string(v.Status)))
	}
	return nil
}
