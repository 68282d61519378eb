package usecase

import (
	"context"
	"log/slog"
	"sync"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/shared/config"
)

// An Announcer tells on the bus what was fetched. It tells of each namespace the
// newest only, and once: who misses it, since the bus is down, pulls when it is
// back.
type Announcer struct {
	publisher Publisher
	logger    *slog.Logger

	mu      sync.Mutex
	pending map[config.Name]config.Fetched
	wake    chan struct{}
}

// NewAnnouncer returns an Announcer that has nothing to tell yet.
func NewAnnouncer(publisher Publisher, logger *slog.Logger) *Announcer {
	return &Announcer{publisher: publisher, logger: logger, pending: map[config.Name]config.Fetched{}, wake: make(chan struct{}, 1)}
}

// Tell takes a fact over. It returns at once.
func (a *Announcer) Tell(f config.Fetched) {
	a.mu.Lock()
	a.pending[f.Namespace] = f
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run tells until ctx ends.
func (a *Announcer) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		for _, f := range a.take() {
			if err := a.publisher.Publish(ctx, events.ConfigFetched{Fetched: f}); err != nil {
				a.logger.Debug("fetched, and not told on the bus", "namespace", f.Namespace, "error", err)
			}
		}
	}
}

func (a *Announcer) take() map[config.Name]config.Fetched {
	a.mu.Lock()
	defer a.mu.Unlock()
	pending := a.pending
	a.pending = map[config.Name]config.Fetched{}
	return pending
}
