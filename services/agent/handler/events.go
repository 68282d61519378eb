package handler

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/bus"
)

// reconnectSpread is how long a pull waits at most that follows a change of the
// bus: a whole fleet sees it at once.
const reconnectSpread = time.Second

// BusRoutes are the topics that an agent hears.
func (h *Handler) BusRoutes() []bus.Route {
	return []bus.Route{{
		Name:      "config-changed",
		Topic:     events.TopicChanged,
		Handle:    h.configChanged,
		Connected: func() { h.Syncer.NudgeAll(reconnectSpread) },
	}}
}

// HearAbove hears what the agents above tell that they fetched, until ctx ends: of
// what the controller told, an agent between may not have had it yet. above returns
// those agents, and a channel that is closed when they are others.
func (h *Handler) HearAbove(ctx context.Context, above func() ([]string, <-chan struct{})) {
	for ctx.Err() == nil {
		agents, changed := above()
		round, cancel := context.WithCancel(ctx)
		var hearing sync.WaitGroup
		hearing.Go(func() {
			if err := h.Bus.Serve(round, h.routesAbove(agents)...); err != nil {
				slog.Error("agents above are not heard; polling goes on", "error", err)
			}
		})
		select {
		case <-changed:
		case <-ctx.Done():
		}
		cancel()
		hearing.Wait()
	}
}

func (h *Handler) routesAbove(agents []string) []bus.Route {
	var routes []bus.Route
	for _, id := range agents {
		routes = append(routes, bus.Route{
			Name:      "config-fetched." + id,
			Topic:     events.TopicFetched(id),
			Handle:    h.configFetched,
			Connected: func() { h.Syncer.NudgeAll(reconnectSpread) },
		})
	}
	return routes
}

// configFetched passes on as a nudge what an agent above fetched.
func (h *Handler) configFetched(_ context.Context, payload []byte) {
	fetched, ok := events.DecodeFetched(payload)
	outcome := "unreadable"
	switch {
	case !ok:
		h.complain("config-fetched", len(payload))
	case h.Syncer.Nudge(fetched.Namespace, fetched.Position(), 0):
		outcome = "nudged"
	default:
		outcome = "not_followed"
	}
	h.events.WithLabelValues("config-fetched", outcome).Inc()
}

// BusChanged hears how the bus is. When it goes, requests are to be held from now
// on; when it is back, its route's Connected pulls.
func (h *Handler) BusChanged(state bus.State) {
	if state != bus.OK {
		h.Syncer.NudgeAll(reconnectSpread)
	}
}

// configChanged passes a notification on as a nudge. What cannot be read, or is of
// a namespace that is none of ours, is counted, and nothing else: nothing on the
// bus may stop a reader.
func (h *Handler) configChanged(_ context.Context, payload []byte) {
	changed, ok := events.DecodeChanged(payload)
	outcome := "unreadable"
	switch {
	case !ok:
		h.complain(events.TopicChanged, len(payload))
	case h.Syncer.Nudge(changed.Namespace, changed.Position(), changed.Spread()):
		outcome = "nudged"
	default:
		outcome = "not_followed"
	}
	h.events.WithLabelValues(events.TopicChanged, outcome).Inc()
}

// complainEvery is how often an unreadable notification is logged at most.
const complainEvery = time.Minute

func (h *Handler) complain(topic string, size int) {
	now, last := time.Now().UnixNano(), h.complained.Load()
	if now-last >= int64(complainEvery) && h.complained.CompareAndSwap(last, now) {
		slog.Warn("somebody tells what cannot be read; it is counted and passed over", "topic", topic, "bytes", size)
	}
}
