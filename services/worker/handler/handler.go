// Package handler is the ways into the reference worker: HTTP for whoever asks,
// and the bus that its SDK listens to. It decides nothing.
package handler

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/worker/domain"
	"github.com/heraldconf/herald/services/worker/usecase"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/sdk"
	"github.com/heraldconf/herald/shared/telemetry"
)

// A Watcher says what the worker runs on.
type Watcher interface {
	Status() sdk.Status
}

// A Handler answers requests.
type Handler struct {
	Hits    *usecase.Hits
	Watcher Watcher
	Bus     *bus.Bus
	Metrics *prometheus.Registry

	hits *prometheus.CounterVec
}

// statuses are the answers to the errors of a worker.
var statuses = []httpapi.Status{
	{Err: domain.ErrNoTarget, Status: http.StatusServiceUnavailable, Problem: "unavailable"},
	{Err: domain.ErrTargetTimeout, Status: http.StatusGatewayTimeout, Problem: "target_timeout"},
	{Err: domain.ErrTargetFailed, Status: http.StatusBadGateway, Problem: "target_failed"},
}

// Routes returns the worker's HTTP side. It registers what the handler counts.
func (h *Handler) Routes() http.Handler {
	h.register()
	mux := http.NewServeMux()
	mux.Handle("GET /hit", httpapi.Handle(statuses, h.hit))
	mux.Handle("GET /v1/status", httpapi.Handle(statuses, h.status))
	mux.Handle("GET /healthz", httpapi.Handle(statuses, h.healthz))
	mux.Handle("GET /readyz", httpapi.Handle(statuses, h.readyz))
	mux.Handle("GET /metrics", telemetry.Metrics(h.Metrics))
	return httpapi.Router(mux)
}

func (h *Handler) register() {
	h.hits = telemetry.Counter(h.Metrics, "worker_hits_total", "Requests made for somebody, by how they ended.", "outcome")
	telemetry.Gauge(h.Metrics, "worker_revision", "The revision that the worker runs on, 0 for none.", func() float64 {
		if running := h.Watcher.Status().Running; running != nil {
			return float64(running.Revision)
		}
		return 0
	})
	telemetry.Gauge(h.Metrics, "agent_up", "1 while the agent answers.", func() float64 {
		return oneIf(h.Watcher.Status().Agent.State == sdk.OK)
	})
	telemetry.Gauge(h.Metrics, "bus_up", "1 while notifications can be had.", func() float64 {
		return oneIf(h.Bus.State() == bus.OK)
	})
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
