package handler

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heraldconf/herald/services/controller/domain"
)

// metrics are what the controller counts.
type metrics struct {
	commits *prometheus.CounterVec
	pulls   *prometheus.CounterVec
	reports *prometheus.CounterVec
	waiting *prometheus.CounterVec
	gauges  []prometheus.Collector
}

func newMetrics(h *Handler) metrics {
	return metrics{
		commits: counter("commits_total", "Writes that were answered, by whether they made a revision.", "changed"),
		pulls:   counter("pulls_total", "Snapshots that were asked for, by the status of the answer.", "status"),
		reports: counter("reports_total", "Verdicts and fetches that were reported, by what became of them.", "outcome"),
		waiting: counter("proposals_total", "Proposals that were made or decided, by the state that they then had.", "state"),
		gauges: append(compacted(h.Retention),
			gauge("outbox_pending", "Commits that are not announced yet.", func() float64 { return float64(h.Pending()) }),
			gauge("bus_up", "1 while the bus takes what is published.", func() float64 {
				if h.Bus() == "ok" {
					return 1
				}
				return 0
			}),
			census{h},
		),
	}
}

func counter(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "herald", Subsystem: "controller", Name: name, Help: help}, []string{label})
}

func gauge(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "herald", Subsystem: "controller", Name: name, Help: help}, read)
}

func (m metrics) register(registry *prometheus.Registry) {
	registry.MustRegister(m.commits, m.pulls, m.reports, m.waiting)
	registry.MustRegister(m.gauges...)
}

func (m metrics) committed(c domain.Commit) {
	m.commits.WithLabelValues(strconv.FormatBool(c.Changed())).Inc()
}

func (m metrics) proposed(state domain.ProposalState) {
	m.waiting.WithLabelValues(string(state)).Inc()
}

func (m metrics) pulled(status int, err error) {
	if err != nil {
		m.pulls.WithLabelValues("error").Inc()
		return
	}
	if status == 0 {
		status = http.StatusOK
	}
	m.pulls.WithLabelValues(strconv.Itoa(status)).Inc()
}

var (
	agentsDesc  = prometheus.NewDesc("herald_controller_agents", "Agents by state.", []string{"state"}, nil)
	workersDesc = prometheus.NewDesc("herald_controller_workers", "Workers by state, against the newest revisions.", []string{"state"}, nil)
)

// A census counts the fleet when it is asked for.
type census struct{ h *Handler }

// Describe is prometheus.Collector's.
func (census) Describe(descs chan<- *prometheus.Desc) {
	descs <- agentsDesc
	descs <- workersDesc
}

// Collect is prometheus.Collector's.
func (c census) Collect(metrics chan<- prometheus.Metric) {
	agents, workers := c.h.Fleet.Census(context.Background())
	for _, state := range []domain.AgentState{domain.Online, domain.Late, domain.Lost} {
		metrics <- prometheus.MustNewConstMetric(agentsDesc, prometheus.GaugeValue, float64(agents[state]), string(state))
	}
	for state, n := range map[domain.WorkerState]int{
		domain.Current: workers.Current, domain.Behind: workers.Behind, domain.Rejected: workers.Rejected, domain.WorkerLost: workers.Lost,
	} {
		metrics <- prometheus.MustNewConstMetric(workersDesc, prometheus.GaugeValue, float64(n), string(state))
	}
}
