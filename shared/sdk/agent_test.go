package sdk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/sdk"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An agent is a small one: it serves what it is given, and remembers what it was
// asked and told. It is an http.Handler for real connections, and a RoundTripper
// for a bubble of testing/synctest, where there can be none.
type agent struct {
	routes *http.ServeMux

	mu       sync.Mutex
	id       string
	newest   *config.Snapshot
	changed  chan struct{}
	interval time.Duration
	away     error         // what connecting fails with
	deaf     *pull.Refusal // what reports are answered with
	pulls    []pulled
	reports  []reported
	goodbyes []config.Stopped
}

type pulled struct {
	prefer string
	status int
}

type reported struct {
	config.Verdict
	heard time.Time
}

func newAgent() *agent {
	a := &agent{id: "host-7", changed: make(chan struct{}), interval: 15 * time.Second, routes: http.NewServeMux()}
	serve := pull.NewHandler(a, pull.Gzip)
	serve.Decorate = func(h http.Header, _ *http.Request, _ config.Name) {
		a.mu.Lock()
		defer a.mu.Unlock()
		pull.SetAgent(h, a.id)
		pull.SetInterval(h, a.interval)
	}
	a.routes.HandleFunc("GET /v1/namespaces/{ns}/snapshot", func(w http.ResponseWriter, r *http.Request) {
		if err := serve.ServeSnapshot(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
		}
	})
	a.routes.HandleFunc("POST /v1/reports", a.report)
	return a
}

func (a *agent) report(w http.ResponseWriter, r *http.Request) {
	var reports config.Reports
	if err := json.NewDecoder(r.Body).Decode(&reports); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.goodbyes = append(a.goodbyes, reports.Stopped...)
	for _, v := range reports.Applied {
		a.reports = append(a.reports, reported{v, time.Now()})
	}
	if a.deaf != nil {
		w.Header().Set("Retry-After", fmt.Sprint(int(a.deaf.RetryAfter.Seconds())))
		w.WriteHeader(a.deaf.Status)
	}
}

func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.routes.ServeHTTP(w, r) }

func (a *agent) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	away := a.away
	a.mu.Unlock()
	if away != nil {
		return nil, away
	}
	answer := httptest.NewRecorder()
	a.routes.ServeHTTP(answer, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet {
		a.mu.Lock()
		a.pulls = append(a.pulls, pulled{prefer: r.Header.Get("Prefer"), status: answer.Code})
		a.mu.Unlock()
	}
	return answer.Result(), nil
}

// Latest makes the agent a pull.Source.
func (a *agent) Latest(_ context.Context, namespace config.Name) (*config.Snapshot, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest == nil || a.newest.Namespace != namespace {
		return nil, a.changed, pull.ErrNotFound
	}
	return a.newest, a.changed, nil
}

func (a *agent) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
	close(a.changed)
	a.changed = make(chan struct{})
}

// serve makes payments stand at a revision, with these configs as JSON; a config
// of no document is a tombstone.
func (a *agent) serve(epoch config.Epoch, revision config.Revision, configs map[config.Name]string) {
	var entries []config.Entry
	var tombstones []config.Tombstone
	for name, document := range configs {
		if document == "" {
			tombstones = append(tombstones, config.Tombstone{Name: name, Revision: revision})
			continue
		}
		entries = append(entries, config.Entry{Name: name, Revision: revision, Document: config.Document{MediaType: "application/json", Body: []byte(document)}})
	}
	s := config.Seal("payments", config.Position{Epoch: epoch, Revision: revision}, entries, tombstones)
	a.set(func() { a.newest = s })
}

// limits makes payments/limits stand at a revision of the epoch E1.
func (a *agent) limits(revision config.Revision, document string) {
	a.serve("E1", revision, map[config.Name]string{"limits": document})
}

func (a *agent) asked() []pulled {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.pulls)
}

func (a *agent) told() []reported {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.reports)
}

// last is the newest verdict that the agent was told.
func (a *agent) last(t *testing.T) config.Verdict {
	t.Helper()
	told := a.told()
	if len(told) == 0 {
		t.Fatal("the agent was told no verdict")
	}
	return told[len(told)-1].Verdict
}

// Limits is what the tests watch.
type Limits struct {
	RPS int `json:"rps"`
}

// watch watches payments/limits of the agent without a network.
func watch(t *testing.T, a *agent, options sdk.Options[Limits]) *sdk.Value[Limits] {
	t.Helper()
	return begin(t, a, options)
}

func watchOf[T any](t *testing.T, a *agent) *sdk.Value[T] {
	t.Helper()
	return begin(t, a, sdk.Options[T]{})
}

func begin[T any](t *testing.T, a *agent, options sdk.Options[T]) *sdk.Value[T] {
	t.Helper()
	options.Agent = "http://agent.test"
	options.Worker = "w-1"
	options.HTTP = &http.Client{Transport: a}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	w, err := sdk.Watch(t.Context(), "payments/limits", options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}
