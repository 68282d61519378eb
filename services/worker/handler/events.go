package handler

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// reconnectSpread is how long a pull waits at most that follows a change of the
// bus: all workers see it at once.
const reconnectSpread = time.Second

// A Link plugs the bus into the SDK: what the worker's agent fetched comes in as
// a nudge, verdicts go out as config-applied. It is an sdk.Link.
type Link struct {
	bus       *bus.Bus
	namespace config.Name
	logger    *slog.Logger

	mu    sync.Mutex
	nudge func(pull.Nudge) // of the Listen that is running, nil for none
}

// NewLink returns a Link for one namespace. It is made before the bus is used,
// since it hears each change of its state.
func NewLink(b *bus.Bus, namespace config.Name, logger *slog.Logger) *Link {
	l := &Link{bus: b, namespace: namespace, logger: logger}
	b.OnState(l.busChanged)
	return l
}

// Healthy reports whether notifications come.
func (l *Link) Healthy() bool { return l.bus.State() == bus.OK }

// Tell publishes a verdict.
func (l *Link) Tell(ctx context.Context, verdict config.Verdict) error {
	return l.bus.Publish(ctx, events.ConfigApplied{Verdict: verdict})
}

// Listen hears what that agent fetches until ctx ends. It pulls once the
// subscription is in place, since what was told before is missed.
func (l *Link) Listen(ctx context.Context, agent string, nudge func(pull.Nudge)) {
	l.set(nudge)
	defer l.set(nil)
	if !l.Healthy() {
		nudge(pull.Nudge{}) // it may have gone down before anybody was there to hear of it
	}
	err := l.bus.Serve(ctx, bus.Route{
		Name:      "config-fetched",
		Topic:     events.TopicFetched(agent),
		Handle:    func(_ context.Context, payload []byte) { l.configFetched(payload, nudge) },
		Connected: func() { nudge(pull.Nudge{Spread: reconnectSpread}) },
	})
	if err != nil && ctx.Err() == nil {
		l.logger.Error("the bus is no longer heard; polling goes on", "error", err)
	}
}

// configFetched passes a notification on as a nudge. What cannot be read, or is
// about another namespace, is not for this worker.
func (l *Link) configFetched(payload []byte, nudge func(pull.Nudge)) {
	fetched, ok := events.DecodeFetched(payload)
	if !ok {
		l.logger.Debug("notification not understood", "bytes", len(payload))
		return
	}
	if fetched.Namespace == l.namespace {
		nudge(pull.Nudge{Position: fetched.Position()})
	}
}

// busChanged ends a pause between polls when the bus goes, so that requests are
// held from then on. When it is back, Connected pulls.
func (l *Link) busChanged(state bus.State) {
	l.mu.Lock()
	nudge := l.nudge
	l.mu.Unlock()
	if state != bus.OK && nudge != nil {
		nudge(pull.Nudge{Spread: reconnectSpread})
	}
}

func (l *Link) set(nudge func(pull.Nudge)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nudge = nudge
}
