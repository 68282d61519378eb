package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// NamespacePath is the path of a namespace, with what stands below it.
func NamespacePath(namespace config.Name, below string) string {
	return "/v1/namespaces/" + string(namespace) + below
}

// ConfigPath is the path of one config.
func ConfigPath(namespace, name config.Name) string {
	return NamespacePath(namespace, "/configs/"+string(name))
}

// AgentPath is the path of one agent.
func AgentPath(id string) string { return "/v1/agents/" + url.PathEscape(id) }

// Written is the answer to a write.
type Written struct {
	Namespace config.Name     `json:"namespace"`
	Name      config.Name     `json:"name,omitempty"`
	Revision  config.Revision `json:"revision"`
	ETag      config.ETag     `json:"etag,omitempty"`
	Changed   bool            `json:"changed"`
	// Proposal is what waits for an approval in the place of a change, or what a change
	// was; 0 for neither.
	Proposal int64 `json:"proposal,omitempty"`
}

// A Namespace is one of the list of namespaces.
type Namespace struct {
	Namespace config.Name     `json:"namespace"`
	Revision  config.Revision `json:"revision"`
	Configs   int             `json:"configs"`
	UpdatedAt time.Time       `json:"updated_at"`
	Hash      string          `json:"hash"` // of its newest commit
}

// A Config is one of the list of a namespace's configs.
type Config struct {
	Name      config.Name     `json:"name"`
	Revision  config.Revision `json:"revision"`
	ETag      config.ETag     `json:"etag"`
	MediaType string          `json:"mediaType"`
	Size      int64           `json:"size"`
}

// A Commit is one of a namespace's history.
type Commit struct {
	Revision config.Revision `json:"revision"`
	At       time.Time       `json:"at"`
	Author   string          `json:"author"`
	Message  string          `json:"message"`
	// ApprovedBy is who approved the proposal that it was, "" where it was none.
	ApprovedBy string `json:"approved_by"`
	Changes    []struct {
		Op   string      `json:"op"`
		Name config.Name `json:"name"`
	} `json:"changes"`
}

// An Agent is an agent's standing.
type Agent struct {
	DryRun              bool          `json:"dry_run"`
	ID                  string        `json:"id"`
	State               string        `json:"state"`
	LastSeen            time.Time     `json:"last_seen"`
	PollIntervalSeconds float64       `json:"poll_interval_seconds"`
	Namespaces          []config.Name `json:"namespaces"`
	Fetched             map[config.Name]struct {
		Revision config.Revision `json:"revision"`
	} `json:"fetched"`
	Rejected map[config.Name]Refusal `json:"rejected"`
}

// A Refusal is a revision that an agent refuses, and why.
type Refusal struct {
	Epoch    config.Epoch    `json:"epoch"`
	Revision config.Revision `json:"revision"`
	Code     string          `json:"code"`
	Message  string          `json:"message"`
}

// A Fleet is who runs on what of a namespace.
type Fleet struct {
	Namespace config.Name     `json:"namespace"`
	Revision  config.Revision `json:"revision"`
	Summary   struct {
		Workers  int `json:"workers"`
		Current  int `json:"current"`
		Behind   int `json:"behind"`
		Rejected int `json:"rejected"`
		Lost     int `json:"lost"`
	} `json:"summary"`
	Workers []Worker        `json:"workers"`
	Agents  []RefusingAgent `json:"agents"` // those that refuse a revision, and hold their workers at an older one
}

// A RefusingAgent is an agent that refuses a revision.
type RefusingAgent struct {
	ID       string     `json:"id"`
	Rejected *Rejection `json:"rejected"`
}

// A Rejection is a revision that somebody refused, and why.
type Rejection struct {
	Revision config.Revision `json:"revision"`
	Code     string          `json:"code"`
	Message  string          `json:"message"`
	At       time.Time       `json:"at"`
}

// The states of a worker.
const (
	Current  = "current"
	Behind   = "behind"
	Rejected = "rejected"
	Lost     = "lost"
)

// A Worker is a worker's standing.
type Worker struct {
	ID      string `json:"id"`
	Agent   string `json:"agent"`
	State   string `json:"state"`
	Running *struct {
		Revision config.Revision `json:"revision"`
		At       time.Time       `json:"at"`
	} `json:"running"`
	LastRejected *Rejection `json:"last_rejected"`
	LastSeen     time.Time  `json:"last_seen"`
}

// Each returns what a list has under member, page by page as it is consumed.
func (c *Client) Each(ctx context.Context, path, member string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for path != "" {
			items, next, err := c.page(ctx, path, member)
			if err == nil && next == path {
				err = fmt.Errorf("%s%s names itself as its next page", c.server, path)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			path = next
		}
	}
}

func (c *Client) page(ctx context.Context, path, member string) (items []json.RawMessage, next string, err error) {
	var page map[string]json.RawMessage
	if _, err := c.Get(ctx, path, &page); err != nil {
		return nil, "", err
	}
	err = json.Unmarshal(page[member], &items)
	if raw, more := page["next"]; err == nil && more {
		err = json.Unmarshal(raw, &next)
	}
	if err != nil || (next != "" && !strings.HasPrefix(next, "/")) {
		return nil, "", fmt.Errorf("%s%s did not answer with a list of %s", c.server, path, member)
	}
	return items, next, nil
}

// errDamaged means that an answer is not the bytes that the server meant.
var errDamaged = errors.New("the snapshot was damaged on its way")

// Snapshot returns a namespace's newest snapshot, or nil where it still is the
// one of that ETag after so long a wait.
func (c *Client) Snapshot(ctx context.Context, namespace config.Name, held config.ETag, wait time.Duration) (*config.Snapshot, error) {
	header := http.Header{}
	if held != "" {
		header.Set("If-None-Match", held.Quoted(""))
	}
	answer, err := c.Do(ctx, Request{Path: NamespacePath(namespace, "/snapshot"), Header: header, Wait: wait})
	if err != nil || answer.Status == http.StatusNotModified {
		return nil, err
	}
	snapshot, err := config.Open(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("%s did not answer as Herald does: %w", c.server, err)
	}
	digest, err := config.ParseDigest(answer.Header.Get("Repr-Digest"))
	if err == nil && digest != snapshot.Digest {
		return nil, errDamaged
	}
	if snapshot.ETag == held {
		return nil, nil // a 200 with the ETag one already has counts as unchanged
	}
	return snapshot, nil
}
