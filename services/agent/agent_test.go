package agent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/settings"
)

func TestMain(m *testing.M) {
	if settings := os.Getenv(runsAgent); settings != "" {
		os.Exit(agentAgain(settings))
	}
	goleak.VerifyTestMain(m)
}

// A controller is as much of one as an agent sees.
type controller struct {
	*httptest.Server

	mu         sync.Mutex
	namespaces map[config.Name]*config.Snapshot
	changed    chan struct{}
	pulls      int
	reports    chan config.Reports
	assigned   []string
	key        ed25519.PrivateKey // nil signs nothing
}

func newController(t *testing.T) *controller {
	t.Helper()
	c := &controller{namespaces: map[config.Name]*config.Snapshot{}, changed: make(chan struct{}), reports: make(chan config.Reports, 100)}
	draining := make(chan struct{})
	h := pull.NewHandler(c, pull.Gzip)
	h.Draining = draining
	h.Decorate = func(out http.Header, _ *http.Request, _ config.Name) { pull.SetInterval(out, time.Second) }
	statuses := []httpapi.Status{{Err: pull.ErrNotFound, Status: 404, Problem: "not_found"}}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/namespaces/{ns}/snapshot", httpapi.Handle(statuses, h.ServeSnapshot))
	mux.Handle("POST /v1/agents", httpapi.Handle(nil, func(w http.ResponseWriter, _ *http.Request) error {
		return httpapi.WriteJSON(w, 201, map[string]any{"poll_interval_seconds": 1, "namespaces": c.assigned})
	}))
	mux.Handle("POST /v1/agents/{id}/reports", httpapi.Handle(nil, func(w http.ResponseWriter, r *http.Request) error {
		var reports config.Reports
		if err := json.NewDecoder(r.Body).Decode(&reports); err != nil {
			return err
		}
		c.reports <- reports
		w.WriteHeader(http.StatusNoContent)
		return nil
	}))
	c.Server = httptest.NewServer(mux)
	t.Cleanup(func() { close(draining); c.Close() })
	return c
}

func (c *controller) Latest(_ context.Context, ns config.Name) (*config.Snapshot, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulls++
	if s := c.namespaces[ns]; s != nil {
		return s, c.changed, nil
	}
	return nil, c.changed, pull.ErrNotFound
}

func (c *controller) put(ns config.Name, revision config.Revision, document string) *config.Snapshot {
	s := sealedAs(ns, "01A", revision, document)
	if c.key != nil {
		s.Signature = config.Sign(c.key, s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.namespaces[ns] = s
	close(c.changed)
	c.changed = make(chan struct{})
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// run starts an agent and returns its address, and how to stop it.
func run(t *testing.T, c agent.Config) (address string, stop func()) {
	t.Helper()
	if c.Listener == nil {
		c.Listener = listen(t)
	}
	listener := c.Listener
	c.Version = "test"
	if c.ID == "" {
		c.ID = "host-7"
	}
	if c.CacheDir == "" {
		c.CacheDir = t.TempDir()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx, c, slog.New(slog.DiscardHandler)) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the agent ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the agent did not stop within 10 s")
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(stop)
	return "http://" + listener.Addr().String(), stop
}

func get(t *testing.T, url string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	answer, err := asPromised(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

const snapshotPath = "/v1/namespaces/payments/snapshot"

func TestAChangePassesThroughByteForByte(t *testing.T) {
	c := newController(t)
	first := c.put("payments", 1, " {\"rps\": 50}\n")
	url, _ := run(t, agent.Config{Upstream: []string{c.URL}, Namespaces: []string{"payments"}})
	answer, body := get(t, url+snapshotPath)
	if answer.StatusCode != 200 || body != string(first.Body) || answer.Header.Get("ETag") != first.ETag.Quoted("") ||
		answer.Header.Get("Herald-Agent") != "host-7" || answer.Header.Get("Herald-Poll-Interval") != "1" || answer.Header.Get("Herald-Stale") != "" ||
		answer.Header.Get("Age") == "" || answer.Header.Get("Herald-Revision") != "1" || answer.Header.Get("Repr-Digest") != first.Digest.Header() {
		t.Fatalf("%d %v %s", answer.StatusCode, answer.Header, body)
	}
	if answer, _ := get(t, url+snapshotPath, "If-None-Match", first.ETag.Quoted("")); answer.StatusCode != 304 {
		t.Errorf("unchanged: %d", answer.StatusCode)
	}
	if _, body := get(t, url+"/v1/namespaces/payments/configs/limits"); body != " {\"rps\": 50}\n" {
		t.Errorf("the document came as %q", body)
	}
	// With no bus both hops hold their requests, so this takes milliseconds.
	began := time.Now()
	time.AfterFunc(50*time.Millisecond, func() { c.put("payments", 2, "{}") })
	answer, _ = get(t, url+snapshotPath, "If-None-Match", first.ETag.Quoted(""), "Prefer", "wait=30")
	if answer.Header.Get("Herald-Revision") != "2" || time.Since(began) > 5*time.Second {
		t.Errorf("revision %s after %s", answer.Header.Get("Herald-Revision"), time.Since(began))
	}
	fetched := (<-c.reports).Fetched
	if len(fetched) != 1 || fetched[0].Agent != "host-7" || fetched[0].Namespace != "payments" {
		t.Errorf("reported %+v", fetched)
	}
}

func TestRestartsFromItsCacheWithNothingElseAlive(t *testing.T) {
	c := newController(t)
	s := c.put("payments", 7, `{"rps":50}`)
	cache := t.TempDir()
	url, stop := run(t, agent.Config{Upstream: []string{c.URL}, CacheDir: cache})
	if answer, _ := get(t, url+snapshotPath); answer.StatusCode != 200 { // a worker asks: followed from now on
		t.Fatal(answer.StatusCode)
	}
	stop()
	began := time.Now()
	url, _ = run(t, agent.Config{Upstream: []string{"http://127.0.0.1:1"}, CacheDir: cache})
	answer, body := get(t, url+snapshotPath)
	if answer.StatusCode != 200 || body != string(s.Body) || answer.Header.Get("Herald-Stale") != "true" || answer.Header.Get("ETag") != s.ETag.Quoted("") ||
		answer.Header.Get("Herald-Poll-Interval") != "1" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("its last good was served after %s", took)
	}
	if answer, _ := get(t, url+"/v1/namespaces/search/snapshot"); answer.StatusCode != 503 || answer.Header.Get("Retry-After") != "1" {
		t.Errorf("never fetched: %d, Retry-After %s", answer.StatusCode, answer.Header.Get("Retry-After"))
	}
}

func TestADamagedCacheServesTheGenerationBefore(t *testing.T) {
	c := newController(t)
	first := c.put("payments", 1, `{"rps":1}`)
	cache := t.TempDir()
	url, stop := run(t, agent.Config{Upstream: []string{c.URL}, CacheDir: cache})
	get(t, url+snapshotPath)
	c.put("payments", 2, `{"rps":2}`)
	get(t, url+snapshotPath, "If-None-Match", first.ETag.Quoted(""), "Prefer", "wait=10")
	stop()
	file := filepath.Join(cache, "payments.snapshot")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content[:len(content)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	url, _ = run(t, agent.Config{Upstream: []string{"http://127.0.0.1:1"}, CacheDir: cache})
	if answer, body := get(t, url+snapshotPath); body != string(first.Body) || answer.Header.Get("Herald-Stale") != "true" {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

func TestUpstreamsAreTriedInOrder(t *testing.T) {
	c := newController(t)
	c.put("payments", 1, `{}`)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer broken.Close()
	url, _ := run(t, agent.Config{Upstream: []string{"http://127.0.0.1:1", broken.URL, c.URL}})
	if answer, _ := get(t, url+snapshotPath); answer.StatusCode != 200 {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestARelayServesAnAgent(t *testing.T) {
	c := newController(t)
	first := c.put("payments", 1, `{"rps":1}`)
	near, _ := run(t, agent.Config{Upstream: []string{c.URL}})
	far, _ := run(t, agent.Config{Upstream: []string{near}, ID: "host-8"})
	if _, body := get(t, far+snapshotPath); body != string(first.Body) {
		t.Fatal(body)
	}
	time.AfterFunc(50*time.Millisecond, func() { c.put("payments", 2, `{"rps":2}`) })
	if answer, _ := get(t, far+snapshotPath, "If-None-Match", first.ETag.Quoted(""), "Prefer", "wait=10"); answer.Header.Get("Herald-Revision") != "2" {
		t.Errorf("revision %s", answer.Header.Get("Herald-Revision"))
	}
}

func TestUnknownNamespaces(t *testing.T) {
	c := newController(t)
	url, _ := run(t, agent.Config{Upstream: []string{c.URL}})
	began := time.Now()
	answer, body := get(t, url+"/v1/namespaces/nothing/snapshot", "Prefer", "wait=20")
	if answer.StatusCode != 404 || !strings.Contains(body, `"not_found"`) || time.Since(began) > 5*time.Second {
		t.Errorf("%d %s after %s", answer.StatusCode, body, time.Since(began))
	}
	for path, want := range map[string]int{
		"/v1/namespaces/Nothing/snapshot": 400, "/v1/namespaces/a/configs/B": 400, "/v1/nothing": 404,
	} {
		if answer, _ := get(t, url+path); answer.StatusCode != want {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
	// Written at last, it arrives without a restart.
	time.AfterFunc(50*time.Millisecond, func() { c.put("nothing", 1, `{}`) })
	if answer, _ := get(t, url+"/v1/namespaces/nothing/snapshot", "Prefer", "wait=20"); answer.StatusCode != 200 {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestReportsAreHandedUpward(t *testing.T) {
	c := newController(t)
	url, _ := run(t, agent.Config{Upstream: []string{c.URL}})
	post := func(body string) *http.Response {
		t.Helper()
		answer, err := asPromised(t).Post(url+"/v1/reports", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer
	}
	if answer := post(`{"applied":[{"worker":"w-1","namespace":"payments","revision":3,"epoch":"01A","status":"applied","at":"2026-11-23T12:00:00Z"}]}`); answer.StatusCode != 202 {
		t.Fatal(answer.StatusCode)
	}
	if got := (<-c.reports).Applied; len(got) != 1 || got[0].Worker != "w-1" || got[0].Agent != "host-7" || got[0].Revision != 3 {
		t.Errorf("handed up %+v", got)
	}
	for _, bad := range []string{
		"", "{", `{"applied":[{}]}`, `{"unknown":1}`, `{"applied":[{"worker":"w","namespace":"UPPER","revision":1,"status":"applied"}]}`,
		`{"fetched":[{"agent":"../x","namespace":"payments"}]}`, `{"applied":[` + strings.Repeat("{},", 1000) + "{}]}", strings.Repeat(" ", 2<<20),
	} {
		if answer := post(bad); answer.StatusCode/100 != 4 {
			t.Errorf("%.60s: %d", bad, answer.StatusCode)
		}
	}
}

func TestStatusAndReadiness(t *testing.T) {
	c := newController(t)
	c.assigned = []string{"search"}
	url, _ := run(t, agent.Config{Upstream: []string{c.URL}, Namespaces: []string{"payments"}})
	get(t, url+snapshotPath)
	if answer, _ := get(t, url+"/readyz"); answer.StatusCode != 503 {
		t.Errorf("ready without its namespace: %d", answer.StatusCode)
	}
	c.put("payments", 3, `{}`)
	get(t, url+snapshotPath, "Prefer", "wait=10")
	if answer, body := get(t, url+"/readyz"); answer.StatusCode != 200 {
		t.Errorf("not ready: %s", body)
	}
	var status struct {
		ID       string
		Upstream struct {
			URL, State string
			Success    time.Time `json:"last_success"`
		}
		Bus        struct{ State string }
		Namespaces map[string]struct {
			Epoch    string
			Revision int
			ETag     string
			Age      *int `json:"age_seconds"`
			Stale    *bool
		}
	}
	_, body := get(t, url+"/v1/status")
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		t.Fatal(err)
	}
	p := status.Namespaces["payments"]
	if status.ID != "host-7" || status.Upstream.URL != c.URL || status.Upstream.State != "ok" || status.Upstream.Success.IsZero() || status.Bus.State != "none" ||
		p.Epoch != "01A" || p.Revision != 3 || p.ETag == "" || p.Age == nil || p.Stale == nil || *p.Stale {
		t.Errorf("status %s", body)
	}
	if _, ok := status.Namespaces["search"]; !ok {
		t.Errorf("what the controller assigned is not followed: %s", body)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/metrics": "herald_agent_namespaces 2"} {
		if answer, body := get(t, url+path); answer.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set  func(*agent.Config)
		says string
	}{
		"ID":             {func(c *agent.Config) { c.ID = "no/slash" }, "--id"},
		"labels":         {func(c *agent.Config) { c.Labels = []string{"zone"} }, "--labels"},
		"namespace":      {func(c *agent.Config) { c.Namespaces = []string{"Payments"} }, "--namespaces"},
		"no upstream":    {func(c *agent.Config) { c.Upstream = nil }, "--upstream"},
		"upstream":       {func(c *agent.Config) { c.Upstream = []string{"controller:8080"} }, "--upstream"},
		"interval":       {func(c *agent.Config) { c.PollInterval = time.Millisecond }, "--poll-interval"},
		"bus":            {func(c *agent.Config) { c.Bus = "kafka://somewhere" }, "--bus"},
		"cache":          {func(c *agent.Config) { c.CacheDir = file }, "--cache-dir"},
		"trust":          {func(c *agent.Config) { c.Trust = filepath.Join(file, "keys.json") }, "--trust"},
		"no keys":        {func(c *agent.Config) { c.Trust = file }, "--trust"},
		"port in use":    {func(c *agent.Config) { c.Listen = taken.Addr().String() }, "--listen"},
		"beyond, closed": {func(c *agent.Config) { c.Listen = "0.0.0.0:0" }, "--accept-token"},
	} {
		settled := agent.Config{Listen: "127.0.0.1:0", Upstream: []string{"http://127.0.0.1:1"}, ID: "host-7", CacheDir: t.TempDir()}
		c.set(&settled)
		var log bytes.Buffer
		err := agent.Run(t.Context(), settled, slog.New(slog.NewTextHandler(&log, nil)))
		if !errors.Is(err, settings.ErrUsage) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
