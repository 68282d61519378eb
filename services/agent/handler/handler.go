// Package handler is the ways into an agent: HTTP for workers, other agents and
// people, and events from the bus. It decides nothing.
package handler

import (
	"context"
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
	"github.com/heraldconf/herald/shared/trust"
)

// An Upstream says how upstream is doing.
type Upstream interface {
	State() domain.UpstreamState
	// States returns how each address is doing, in order.
	States() []domain.UpstreamState
	// Path returns the agents that stand above, as far as they are known.
	Path() []string
}

// A Trust knows the keys to pass on.
type Trust interface {
	// Keys returns the signing keys, newest first, or an error that wraps
	// trust.ErrNoKeys.
	Keys(ctx context.Context) (config.Keys, error)
}

// A Handler answers requests and hears events.
type Handler struct {
	ID       string
	Syncer   *usecase.Syncer
	Reporter *usecase.Reporter
	Ring     *usecase.Ring
	Files    *usecase.Files
	Upstream Upstream
	Trust    Trust
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
	{Err: trust.ErrNoKeys, Status: http.StatusServiceUnavailable, Problem: "unavailable"},
	{Err: domain.ErrAway, Status: http.StatusServiceUnavailable, Problem: "unavailable"},
	{Err: domain.ErrTooMany, Status: http.StatusServiceUnavailable, Problem: "unavailable"},
}

// Routes returns the agent's HTTP side. It registers what the handler counts.
func (h *Handler) Routes() http.Handler {
	h.pull = pull.NewHandler(source{h.Syncer}, zstd.Coding, pull.Gzip)
	h.pull.Draining = h.Draining
	h.pull.Decorate = h.decorate
	h.count()

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
		{pattern: "POST /v1/agents", answer: h.register},
		{pattern: "POST /v1/agents/{id}/reports", answer: h.takeReportsOf},
		{pattern: "POST /v1/reports", answer: h.takeReports},
		{pattern: "GET /metrics", answer: h.scrape},
		{pattern: "GET /v1/status", answer: h.status, open: true},
		{pattern: "GET /v1/signing-keys", answer: h.keys, open: true},
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

func (h *Handler) count() {
	telemetry.Gauge(h.Metrics, "agent_namespaces", "Namespaces that are followed.",
		func() float64 { return float64(len(h.Syncer.Followed())) })
	telemetry.Gauge(h.Metrics, "agent_below", "Agents below that registered here.", func() float64 { return float64(h.Ring.Len()) })
	telemetry.Gauge(h.Metrics, "agent_upstreams", "Addresses that are tried in order.", func() float64 { return float64(len(h.Upstream.States())) })
	telemetry.Gauge(h.Metrics, "agent_upstreams_open", "Addresses that are left alone for a while, since they did not answer.", h.countOpen)
	h.gauge("agent_stale_namespaces", "Namespaces that upstream cannot confirm now.", func(held domain.Holding) bool { return held.Stale })
	h.gauge("agent_unkept_namespaces", "Namespaces whose newest snapshot is in memory alone.", func(held domain.Holding) bool { return held.Unkept != nil })
	h.gauge("agent_damaged_namespaces", "Namespaces whose newest generation on disk was damaged at the start.", func(held domain.Holding) bool { return held.Damage != nil })
	telemetry.Gauge(h.Metrics, "agent_cache_up", "1 while what is fetched can be kept on disk.", func() float64 {
		if h.Syncer.Disk().OK() {
			return 1
		}
		return 0
	})
	telemetry.Gauge(h.Metrics, "bus_up", "1 while notifications can be had.", func() float64 {
		if h.Bus.State() == bus.OK {
			return 1
		}
		return 0
	})
	telemetry.Gauge(h.Metrics, "agent_files", "Files that are made from configs.",
		func() float64 { return float64(len(h.Files.Standings())) })
	telemetry.Gauge(h.Metrics, "agent_files_rejected", "Files of which the last try was rejected, so that the former one stays.", h.countRejected)
	telemetry.Gauge(h.Metrics, "agent_verdicts_waiting", "Verdicts that upstream has not heard yet.", func() float64 {
		waiting, _ := h.Reporter.Backlog()
		return float64(waiting)
	})
	telemetry.Gauge(h.Metrics, "agent_verdicts_dropped", "Verdicts that upstream will never hear, for want of room.", func() float64 {
		_, dropped := h.Reporter.Backlog()
		return float64(dropped)
	})
	h.reports = telemetry.Counter(h.Metrics, "agent_reports_total", "Verdicts and fetches handed in by HTTP.").WithLabelValues()
	h.events = telemetry.Counter(h.Metrics, "events_total", "Notifications heard, by topic and what came of them.", "topic", "outcome")
}

func (h *Handler) countOpen() float64 {
	open := 0
	for _, each := range h.Upstream.States() {
		if each.Circuit != domain.Closed {
			open++
		}
	}
	return float64(open)
}

// gauge counts the namespaces that are held so.
func (h *Handler) gauge(name, help string, so func(domain.Holding) bool) {
	telemetry.Gauge(h.Metrics, name, help, func() float64 {
		n := 0
		for _, namespace := range h.Syncer.Followed() {
			if so(h.Syncer.Holding(namespace)) {
				n++
			}
		}
		return float64(n)
	})
}
