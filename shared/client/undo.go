package client

import (
	"encoding/json"

	"github.com/heraldconf/herald/shared/config"
)

// A Change is what became of one config between two states.
type Change struct {
	Name  config.Name     `json:"name"`
	Op    string          `json:"op"` // added, changed or removed
	Patch json.RawMessage `json:"patch,omitempty"`
	Text  string          `json:"text"`
}

// A Diff is what changed between two revisions.
type Diff struct {
	Namespace config.Name     `json:"namespace"`
	From      config.Revision `json:"from"`
	To        config.Revision `json:"to"`
	Changes   []Change        `json:"changes"`
}

// A Preview is the answer to a dry run.
type Preview struct {
	DryRun    bool            `json:"dry_run"`
	Namespace config.Name     `json:"namespace"`
	Changed   bool            `json:"changed"`
	Revision  config.Revision `json:"revision"` // that it would make
	Changes   []Change        `json:"changes"`
	Schemas   []Change        `json:"schemas,omitempty"`
	Workers   []RunningWorker `json:"workers"`         // that would go over to it
	Waits     bool            `json:"waits,omitempty"` // for the approval of another token
}

// A RunningWorker is a worker that lives, and what it runs on.
type RunningWorker struct {
	ID       string          `json:"id"`
	Agent    string          `json:"agent"`
	Revision config.Revision `json:"revision"`
}
