package client

import (
	"strconv"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// ProposalPath is the path of one proposal, with what stands below it.
func ProposalPath(namespace config.Name, id int64, below string) string {
	return NamespacePath(namespace, "/proposals/"+strconv.FormatInt(id, 10)+below)
}

// A Proposal is what waits for the approval of another token, or what became of it.
type Proposal struct {
	ID           int64           `json:"id"`
	Namespace    config.Name     `json:"namespace"`
	State        string          `json:"state"` // open, approved, rejected, withdrawn or expired
	At           time.Time       `json:"at"`
	Author       string          `json:"author"`
	Message      string          `json:"message"`
	BaseRevision config.Revision `json:"base_revision"`
	Force        bool            `json:"force"`
	ExpiresAt    time.Time       `json:"expires_at"`
	DecidedBy    string          `json:"decided_by"`
	Reason       string          `json:"reason"`
	Revision     config.Revision `json:"revision"` // that its approval made
	Changes      []struct {
		Op   string      `json:"op"`
		Name config.Name `json:"name"`
	} `json:"changes"`
	// Diff is what it would change of what stands now, of one that is open.
	Diff *struct {
		To      config.Revision `json:"to"`
		Changes []Change        `json:"changes"`
		Schemas []Change        `json:"schemas"`
	} `json:"diff"`
}
