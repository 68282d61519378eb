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

// Fetched says that an agent keeps a revision on its disk and serves it.
type Fetched struct {
	Agent     string    `json:"agent"`
	Namespace Name      `json:"namespace"`
	Revision  Revision  `json:"revision"`
	Epoch     Epoch     `json:"epoch"`
	At        time.Time `json:"at"`
}

// Position is where the namespace stood that was fetched.
func (f Fetched) Position() Position { return Position{Epoch: f.Epoch, Revision: f.Revision} }

// Reports is what an agent hands upward where the bus is not there.
type Reports struct {
	Applied []Verdict `json:"applied,omitempty"`
	Fetched []Fetched `json:"fetched,omitempty"`
}

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
