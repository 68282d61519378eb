package worker_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// An agent serves demo/fetch as a test wants it, and hears verdicts.
type agent struct {
	server   *httptest.Server
	verdicts chan config.Verdict

	mu       sync.Mutex
	newest   *config.Snapshot
	changed  chan struct{}
	held     int // requests that asked to be held
	interval time.Duration
	key      ed25519.PrivateKey // nil signs nothing
}

// sign signs what is served from now on.
func (a *agent) sign(key ed25519.PrivateKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key = key
}

func newAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{verdicts: make(chan config.Verdict, 1000), changed: make(chan struct{}), interval: time.Minute}
	serve := pull.NewHandler(a, pull.Gzip)
	serve.Decorate = func(h http.Header, r *http.Request, _ config.Name) {
		pull.SetAgent(h, "host-7")
		pull.SetInterval(h, a.interval)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/namespaces/{ns}/snapshot", func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		if pull.Wait(r.Header) > 0 {
			a.held++
		}
		a.mu.Unlock()
		if err := serve.ServeSnapshot(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
		}
	})
	mux.HandleFunc("POST /v1/reports", func(w http.ResponseWriter, r *http.Request) {
		var reports config.Reports
		if err := json.NewDecoder(r.Body).Decode(&reports); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, v := range reports.Applied {
			a.verdicts <- v
		}
		w.WriteHeader(http.StatusAccepted)
	})
	a.server = httptest.NewServer(mux)
	t.Cleanup(a.server.Close)
	return a
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

// fetch makes demo/fetch stand at a revision.
func (a *agent) fetch(revision config.Revision, document string) {
	s := config.Seal("demo", config.Position{Epoch: "E1", Revision: revision}, []config.Entry{
		{Name: "fetch", Revision: revision, Document: config.Document{MediaType: "application/json", Body: []byte(document)}},
	}, nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest = s; a.key != nil {
		s.Signature = config.Sign(a.key, s)
	}
	close(a.changed)
	a.changed = make(chan struct{})
}

// await returns the first verdict on a revision.
func (a *agent) await(t *testing.T, revision config.Revision) config.Verdict {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case v := <-a.verdicts:
			if v.Revision == revision {
				return v
			}
		case <-late:
			t.Fatalf("no verdict on revision %d", revision)
		}
	}
}

// target serves what a config points at.
func target(t *testing.T, says string) (config string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(says))
	}))
	t.Cleanup(server.Close)
	return fmt.Sprintf(`{"url":%q}`, server.URL)
}
