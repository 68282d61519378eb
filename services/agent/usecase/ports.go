// Package usecase is what an agent does: follow namespaces, keep what it fetched
// before it tells anybody, hand reports upward. It knows no HTTP, disk or bus.
package usecase

import (
	"context"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// An Upstream is where snapshots come from.
type Upstream interface {
	// Puller returns what keeps a namespace current. It hands each newer snapshot
	// that verified to keep, whose error makes it go on with what it had, and tells
	// observe how each pull ended: an error matches domain.ErrAbsent where upstream
	// says that there is no such namespace.
	Puller(namespace config.Name, keep func(context.Context, domain.Answer) error, observe func(domain.Answer, error)) Puller
}

// A Puller keeps one namespace current.
type Puller interface {
	// Run pulls until ctx ends, beginning with what is held, nil for nothing.
	Run(ctx context.Context, have *config.Snapshot)
	// Nudge asks for a pull within spread; it does not block.
	Nudge(at config.Position, spread time.Duration)
}

// A Cache is the agent's disk.
type Cache interface {
	// Keep returns nil once the snapshot is on disk.
	Keep(snapshot *config.Snapshot, confirmed time.Time) error
	// Load returns what there is of a namespace, an empty Holding for nothing.
	Load(namespace config.Name) domain.Holding
	// KeepInterval returns nil once the poll interval that upstream told is on disk.
	KeepInterval(told time.Duration) error
	// Interval returns the poll interval that is kept, 0 for none.
	Interval() time.Duration
	// Check returns nil if something can be kept.
	Check() error
}

// A Publisher tells facts to whom it may concern.
type Publisher interface {
	// Publish is bounded in time; after an error the fact may or may not be told.
	Publish(ctx context.Context, e events.Event) error
}

// A Controller is whom an agent registers with and reports to.
type Controller interface {
	// Register returns the poll interval and the namespaces that are assigned. It
	// fails with domain.ErrAbsent where upstream keeps no register, being an agent.
	Register(ctx context.Context, profile domain.Profile) (time.Duration, []config.Name, error)
	// Report returns nil once the reports are recorded.
	Report(ctx context.Context, reports config.Reports) error
}
