// Package sdktest is for the tests of applications that import shared/sdk: an
// Agent to watch that needs no network, no controller and no clock, and a Value
// to hand to code that only loads. The agent speaks the pull protocol with the
// code that real agents serve with, so that what a test sees is what a host does.
package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// AgentID is who an Agent says that it is.
const AgentID = "sdktest"

// ErrAway is what connecting to an Agent fails with that is away.
var ErrAway = errors.New("the agent is away")

// epoch is that of everything an Agent serves.
const epoch = config.Epoch("01SDKTEST00000000000000000")

// An Agent serves configs that a test puts, and hears verdicts. Give its HTTP to
// sdk.Options. It works in a bubble of testing/synctest, if it is made there. Its
// methods may be called by several goroutines.
type Agent struct {
	t      testing.TB
	routes *http.ServeMux

	mu       sync.Mutex
	newest   map[config.Name]*config.Snapshot
	away     bool
	verdicts []config.Verdict
	changed  chan struct{} // closed and made anew with each change of the above
}

// NewAgent returns an agent that serves nothing yet. What it cannot do, such as
// taking a config whose name is none, fails the test.
func NewAgent(t testing.TB) *Agent {
	a := &Agent{t: t, newest: map[config.Name]*config.Snapshot{}, changed: make(chan struct{}), routes: http.NewServeMux()}
	serve := pull.NewHandler(source{a}, pull.Gzip)
	serve.Decorate = func(h http.Header, _ *http.Request, _ config.Name) { pull.SetAgent(h, AgentID) }
	answer := func(pattern string, do func(http.ResponseWriter, *http.Request) error) {
		a.routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusNotFound)
			}
		})
	}
	answer("GET /v1/namespaces/{ns}/snapshot", serve.ServeSnapshot)
	answer("GET /v1/namespaces/{ns}/configs/{name}", serve.ServeConfig)
	a.routes.HandleFunc("POST /v1/reports", a.hear)
	return a
}

// HTTP reaches the agent, whatever address is asked for.
func (a *Agent) HTTP() *http.Client { return &http.Client{Transport: transport{a}} }

// Put makes a config, written NAMESPACE/NAME, hold a JSON document. It returns the
// revision that the namespace stands at then.
func (a *Agent) Put(name, document string) config.Revision {
	a.t.Helper()
	return a.PutAs(name, "application/json", document)
}

// PutAs is Put for a document of any media type.
func (a *Agent) PutAs(name, mediaType, document string) config.Revision {
	a.t.Helper()
	if strings.HasSuffix(mediaType, "json") && !json.Valid([]byte(document)) {
		a.t.Fatalf("sdktest: put %s: %q is no JSON, and a controller would not take it", name, document)
	}
	return a.commit(name, &config.Document{MediaType: mediaType, Body: []byte(document)})
}

// Delete leaves a tombstone in the place of a config. It returns the revision that
// the namespace stands at then.
func (a *Agent) Delete(name string) config.Revision {
	a.t.Helper()
	return a.commit(name, nil)
}

// Away makes the agent unreachable, or reachable again. Requests that are held
// just then end as if the agent had stopped.
func (a *Agent) Away(away bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = away
	a.stir()
}

// Verdicts are those that were heard, in that order.
func (a *Agent) Verdicts() []config.Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.verdicts)
}

// Verdict waits for the first verdict on a revision of a namespace. It fails the
// test if that ends first.
func (a *Agent) Verdict(namespace string, revision config.Revision) config.Verdict {
	a.t.Helper()
	for {
		a.mu.Lock()
		heard, changed := a.verdicts, a.changed
		a.mu.Unlock()
		for _, v := range heard {
			if string(v.Namespace) == namespace && v.Revision == revision {
				return v
			}
		}
		select {
		case <-changed:
		case <-a.t.Context().Done():
			a.t.Fatalf("sdktest: no verdict on revision %d of %s; heard were %v", revision, namespace, heard)
		}
	}
}

// commit makes the next revision of a namespace; no document is a tombstone.
func (a *Agent) commit(path string, document *config.Document) config.Revision {
	a.t.Helper()
	before, after, _ := strings.Cut(path, "/")
	namespace, err := config.ParseName(before)
	name, err2 := config.ParseName(after)
	if err := errors.Join(err, err2); err != nil {
		a.t.Fatalf("sdktest: %q: write NAMESPACE/NAME, as in payments/limits: %v", path, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	held := a.newest[namespace]
	if held == nil {
		held = &config.Snapshot{}
	}
	revision := held.Revision + 1
	configs := slices.DeleteFunc(slices.Clone(held.Configs), func(e config.Entry) bool { return e.Name == name })
	tombstones := slices.DeleteFunc(slices.Clone(held.Tombstones), func(t config.Tombstone) bool { return t.Name == name })
	if document != nil {
		configs = append(configs, config.Entry{Name: name, Revision: revision, Document: *document})
	} else {
		tombstones = append(tombstones, config.Tombstone{Name: name, Revision: revision})
	}
	a.newest[namespace] = config.Seal(namespace, config.Position{Epoch: epoch, Revision: revision}, configs, tombstones)
	a.stir()
	return revision
}

// stir wakes who waits for a change. a.mu is held.
func (a *Agent) stir() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// hear answers POST /v1/reports.
func (a *Agent) hear(w http.ResponseWriter, r *http.Request) {
	var reports config.Reports
	if err := json.NewDecoder(r.Body).Decode(&reports); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verdicts = append(a.verdicts, reports.Applied...)
	a.stir()
	w.WriteHeader(http.StatusAccepted)
}

// A source serves what an agent holds.
type source struct{ *Agent }

// Latest makes it a pull.Source.
func (s source) Latest(_ context.Context, namespace config.Name) (*config.Snapshot, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest[namespace] == nil {
		return nil, s.changed, fmt.Errorf("namespace %s: %w", namespace, pull.ErrNotFound)
	}
	return s.newest[namespace], s.changed, nil
}

// A transport answers requests without a network.
type transport struct{ agent *Agent }

// RoundTrip fails with ErrAway while the agent is away, and as soon as it goes.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	watching := t.agent.whenAway(ctx, end)
	answer := httptest.NewRecorder()
	if ctx.Err() == nil {
		t.agent.routes.ServeHTTP(answer, r.WithContext(ctx))
	}
	err := context.Cause(ctx)
	end(nil)
	watching.Wait()
	if err != nil {
		return nil, err
	}
	return answer.Result(), nil
}

// whenAway ends a request with ErrAway once the agent is away, at once if it is.
func (a *Agent) whenAway(ctx context.Context, end context.CancelCauseFunc) *sync.WaitGroup {
	var watching sync.WaitGroup
	gone := func() (bool, <-chan struct{}) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.away, a.changed
	}
	away, changed := gone()
	if away {
		end(ErrAway)
		return &watching
	}
	watching.Go(func() {
		for !away {
			select {
			case <-changed:
				away, changed = gone()
			case <-ctx.Done():
				return
			}
		}
		end(ErrAway)
	})
	return &watching
}

// A Value stands in for the SDK's in code that only loads: a test sets it. The
// zero Value holds the zero value of T.
type Value[T any] struct{ held atomic.Pointer[T] }

// NewValue returns a Value that holds v.
func NewValue[T any](v T) *Value[T] {
	held := &Value[T]{}
	held.Set(v)
	return held
}

// Load returns the value that was set last.
func (v *Value[T]) Load() T {
	if held := v.held.Load(); held != nil {
		return *held
	}
	return *new(T)
}

// Set replaces the value.
func (v *Value[T]) Set(next T) { v.held.Store(&next) }
