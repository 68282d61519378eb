package handler

import (
	"context"
	"log/slog"
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
		h.complain(len(payload))
	case h.Syncer.Nudge(changed.Namespace, changed.Position(), changed.Spread()):
		outcome = "nudged"
	default:
		outcome = "not_followed"
	}
	h.events.WithLabelValues(events.TopicChanged, outcome).Inc()
}

// complainEvery is how often an unreadable notification is logged at most.
const complainEvery = time.Minute

func (h *Handler) complain(size int) {
	now, last := time.Now().UnixNano(), h.complained.Load()
	if now-last >= int64(complainEvery) && h.complained.CompareAndSwap(last, now) {
		slog.Warn("somebody tells what cannot be read; it is counted and passed over", "topic", events.TopicChanged, "bytes", size)
	}
}
