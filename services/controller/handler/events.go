package handler

import (
	"context"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/bus"
)

// Events are the topics that the controller consumes.
func (h *Handler) Events() []bus.Route {
	return []bus.Route{{Name: "record verdicts", Topic: events.TopicApplied, Handle: h.applied}}
}

// applied records a verdict that came over the bus, where anybody can write: what
// is not one, or cannot be believed, is counted and forgotten.
func (h *Handler) applied(ctx context.Context, payload []byte) {
	event, ok := events.DecodeApplied(payload)
	if !ok {
		h.metrics.reports.WithLabelValues("refused").Inc()
		h.Logger.Debug("not a verdict", "topic", events.TopicApplied, "bytes", len(payload))
		return
	}
	if err := h.Fleet.Record(ctx, event.Verdict); err != nil {
		h.metrics.reports.WithLabelValues("refused").Inc()
		h.Logger.Debug("verdict not recorded", "worker", event.Worker, "namespace", event.Namespace, "error", err)
		return
	}
	h.metrics.reports.WithLabelValues("recorded").Inc()
}
