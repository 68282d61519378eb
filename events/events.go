// Package events is what the services tell each other: facts in the past tense,
// each with a topic, a repeatable ID and a JSON payload. Decoding never fails on
// what others wrote; it says whether anything of use was in it. The package
// knows no transport: events/bus carries the facts.
package events

import (
	"fmt"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// The topics. Each agent tells what it fetched on a topic of its own.
const (
	TopicChanged = "config-changed"
	TopicApplied = "config-applied"
)

// TopicFetched is where the agent of that ID tells what it fetched.
func TopicFetched(agent string) string { return "config-fetched." + agent }

// An Event is a fact that is told. Told twice under one ID, it is known once.
type Event interface {
	Topic() string
	ID() string
}

// ConfigChanged is told by the controller, or by anybody with redis-cli, when a
// namespace has a new revision. Only the namespace is needed: it is a hint to
// pull, never the news itself.
type ConfigChanged struct {
	Namespace   config.Name     `json:"namespace"`
	Revision    config.Revision `json:"revision,omitempty"`
	Epoch       config.Epoch    `json:"epoch,omitempty"`
	ETag        config.ETag     `json:"etag,omitempty"`
	SpreadMS    int64           `json:"spread_ms,omitempty"`
	PublishedAt time.Time       `json:"published_at,omitzero"`
}

// Topic is config-changed.
func (ConfigChanged) Topic() string { return TopicChanged }

// ID is namespace@revision.
func (e ConfigChanged) ID() string { return fmt.Sprintf("%s@%d", e.Namespace, e.Revision) }

// Position is where the namespace stands, as far as the event says.
func (e ConfigChanged) Position() config.Position {
	return config.Position{Epoch: e.Epoch, Revision: e.Revision}
}

// Spread is how long a reader waits at most before it pulls, so that a fleet
// does not arrive at once. It is at most 10 s, whatever the event says.
func (e ConfigChanged) Spread() time.Duration {
	return time.Duration(min(max(e.SpreadMS, 0), 10_000)) * time.Millisecond
}

// ConfigFetched is told by an agent once a revision is on its disk and served.
type ConfigFetched struct{ config.Fetched }

// Topic is config-fetched.<agent>.
func (e ConfigFetched) Topic() string { return TopicFetched(e.Agent) }

// ID is agent/namespace@revision.
func (e ConfigFetched) ID() string { return fmt.Sprintf("%s/%s@%d", e.Agent, e.Namespace, e.Revision) }

// ConfigApplied is told by a worker: its verdict on a revision.
type ConfigApplied struct{ config.Verdict }

// Topic is config-applied.
func (ConfigApplied) Topic() string { return TopicApplied }

// ID is worker/namespace@revision/status.
func (e ConfigApplied) ID() string {
	return fmt.Sprintf("%s/%s@%d/%s", e.Worker, e.Namespace, e.Revision, e.Status)
}
