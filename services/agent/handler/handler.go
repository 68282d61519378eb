// Package handler is the ways into an agent: HTTP for workers, other agents and
// people, and events from the bus. It decides nothing.
package handler

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/pull/zstd"
	"github.com/heraldconf/herald/shared/telemetry"
)

// An Upstream says how upstream is doing.
type Upstream interface {
	State() domain.UpstreamState
}

// A Handler answers requests and hears events.
type Handler struct {
	ID       string
	Syncer   *usecase.Syncer
	Reporter *usecase.Reporter
	Upstream Upstream
	Bus      *bus.Bus
	Required []config.Name // those that readiness depends on
	Tokens   []string      // what callers beyond loopback must bring; none = nobody is asked
	Draining <-chan struct{}
	Metrics  *prometheus.Registry

	pull    *pull.Handler
	reports prometheus.Counter
	events  *prometheus.CounterVec

	complained atomic.Int64 // when, in Unix nanoseconds
}

// statuses are the answers to the errors of an agent.
var statuses = []httpapi.Status{
	{Err: domain.ErrAbsent, Status: http.StatusNotFound, Problem: "not_found"},
	{Err: pull.ErrNotFound, Status: http.StatusNotFound, Problem: "not_found"},
	{Err: domain.ErrUnavailable, Status: http.StatusServiceUnavailable, Problem: "unavailable"},
	{Err: domain.ErrTooMany, Status: http.StatusServiceUnavailable, Problem: "unavailable"},
}

// Routes returns the agent's HTTP side. It registers what the handler counts.
func (h *Handler) Routes() http.Handler {
	h.pull = pull.NewHandler(source{h.Syncer}, zstd.Coding, pull.Gzip)
	h.pull.Draining = h.Draining
	h.pull.Decorate = h.decorate
	h.register()

	mux := http.NewServeMux()
	for _, r := range h.routes() {
		answer := httpapi.Handle(statuses, r.answer)
		if !r.open {
			answer = h.admit(answer)
		}
		mux.Handle(r.pattern, answer)
	}
	return httpapi.Router(mux)
}

// A route is a pattern of http.ServeMux, who answers it, and whether it does so to
// callers beyond loopback that bring no token.
type route struct {
	pattern string
	answer  httpapi.HandlerFunc
	open    bool
}

func (h *Handler) routes() []route {
	return []route{
		{pattern: "GET /v1/namespaces/{ns}/snapshot", answer: h.snapshot},
		{pattern: "GET /v1/namespaces/{ns}/configs/{name}", answer: h.config},
		{pattern: "POST /v1/reports", answer: h.takeReports},
		{pattern: "GET /metrics", answer: h.scrape},
		{pattern: "GET /v1/status", answer: h.status, open: true},
		{pattern: "GET /openapi.yaml", answer: h.contract, open: true},
		{pattern: "GET /healthz", answer: h.healthz, open: true},
		{pattern: "GET /readyz", answer: h.readyz, open: true},
	}
}

// scrape answers GET /metrics.
func (h *Handler) scrape(w http.ResponseWriter, r *http.Request) error {
	telemetry.Metrics(h.Metrics).ServeHTTP(w, r)
	return nil
}

func (h *Handler) register() {
	telemetry.Gauge(h.Metrics, "agent_namespaces", "Namespaces that are followed.",
		func() float64 { return float64(len(h.Syncer.Followed())) })
	telemetry.Gauge(h.Metrics, "agent_stale_namespaces", "Namespaces that upstream cannot confirm now.", h.countStale)
	telemetry.Gauge(h.Metrics, "bus_up", "1 while notifications can be had.", func() float64 {
		if h.Bus.State() == bus.OK {
			return 1
		}
		return 0
	})
	h.reports = telemetry.Counter(h.Metrics, "agent_reports_total", "Verdicts and fetches handed in by HTTP.").WithLabelValues()
	h.events = telemetry.Counter(h.Metrics, "events_total", "Notifications heard, by topic and what came of them.", "topic", "outcome")
}

func (h *Handler) countStale() float64 {
	stale := 0
	for _, namespace := range h.Syncer.Followed() {
		if h.Syncer.Holding(namespace).Stale {
			stale++
		}
	}
	return float64(stale)
}
