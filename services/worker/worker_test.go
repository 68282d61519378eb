package worker_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/events/eventstest"
	"github.com/heraldconf/herald/services/worker"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a worker until the test ends, and returns its address.
func start(t *testing.T, c worker.Config) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Listener, c.ID, c.Namespace, c.AllowHosts = listener, "w-1", "demo", []string{"127.0.0.1"}
	if c.StateDir == "" {
		c.StateDir = t.TempDir()
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx, c, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

func get(t *testing.T, url string) (status int, header http.Header, body string) {
	t.Helper()
	answer, err := http.Get(url) //nolint:gosec // an address of the test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(content)
}

// TestTrustedKeys: what the keys of a file do not vouch for is not run on.
func TestTrustedKeys(t *testing.T) {
	a := newAgent(t)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, config.Keys{config.NewKey(public, time.Now())}.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	a.fetch(1, target(t, "unsigned"))
	w := start(t, worker.Config{Agent: a.server.URL, Trust: keys})
	for until := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		status, _, body := get(t, w+"/v1/status")
		if status != http.StatusOK || strings.Contains(body, `"running":{`) || time.Now().After(until) {
			t.Fatalf("%d %s", status, body)
		}
		if strings.Contains(body, "signature not verified") {
			break
		}
	}
	a.sign(private)
	a.fetch(2, target(t, "signed"))
	if v := a.await(t, 2); v.Status != config.Applied {
		t.Errorf("verdict %+v", v)
	}
}

func TestWorkerRunsOnItsConfig(t *testing.T) {
	a := newAgent(t)
	w := start(t, worker.Config{Agent: a.server.URL})
	if status, _, body := get(t, w+"/hit"); status != 503 || !strings.Contains(body, `"unavailable"`) {
		t.Errorf("before the first config: %d %s", status, body)
	}
	if status, _, _ := get(t, w+"/readyz"); status != 503 {
		t.Errorf("ready before the first config: %d", status)
	}
	a.fetch(1, target(t, "first"))
	if v := a.await(t, 1); v.Status != config.Applied || v.Worker != "w-1" || v.Agent != "host-7" || v.Namespace != "demo" {
		t.Errorf("verdict %+v", v)
	}
	status, header, body := get(t, w+"/hit")
	if status != http.StatusTeapot || body != "first" || header.Get("Herald-Revision") != "1" {
		t.Errorf("%d %q %v", status, body, header)
	}
	if status, _, _ := get(t, w+"/readyz"); status != 200 {
		t.Errorf("not ready: %d", status)
	}
}

func TestWorkerRejectsAndGoesOn(t *testing.T) {
	a := newAgent(t)
	a.fetch(1, target(t, "good"))
	w := start(t, worker.Config{Agent: a.server.URL})
	a.await(t, 1)
	for i, c := range []struct{ document, code string }{
		{`{"url":`, "decode"},
		{`{"method":"GET"}`, "missing_url"},
		{`{"url":"http://127.0.0.1","timeout_ms":0}`, "invalid"},
		{`{"url":"http://192.0.2.1/"}`, "host_not_allowed"},
	} {
		revision := config.Revision(i + 2)
		if strings.HasSuffix(c.document, ":") {
			c.document = `"no object"` // what is not JSON at all the agent would not hand on
		}
		a.fetch(revision, c.document)
		if v := a.await(t, revision); v.Status != config.Rejected || v.Code != c.code {
			t.Errorf("%s: verdict %+v, want %s", c.document, v, c.code)
		}
		if status, header, body := get(t, w+"/hit"); status != http.StatusTeapot || body != "good" || header.Get("Herald-Revision") != "1" {
			t.Errorf("%s: the last good did not stay: %d %q", c.document, status, body)
		}
		if _, _, body := get(t, w+"/v1/status"); !strings.Contains(body, `"code":"`+c.code+`"`) {
			t.Errorf("status %s", body)
		}
	}
}

func TestWorkerOverRedis(t *testing.T) {
	redis, a := eventstest.Redis(t), newAgent(t)
	b, err := bus.Open(redis.URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	applied := make(chan events.ConfigApplied, 100)
	connected := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- b.Serve(ctx, bus.Route{Name: "applied", Topic: events.TopicApplied,
			Handle: func(_ context.Context, payload []byte) {
				if e, ok := events.DecodeApplied(payload); ok {
					applied <- e
				}
			}, Connected: func() { connected <- struct{}{} }})
	}()
	defer func() { cancel(); <-served }()
	<-connected

	a.fetch(1, target(t, "first"))
	w := start(t, worker.Config{Agent: a.server.URL, Bus: redis.URL()})
	awaitBus(t, w)                      // the first verdict goes by HTTP where the bus is not reached yet
	time.Sleep(1500 * time.Millisecond) // the pull that follows the connection is over, and the next is a minute away
	a.fetch(2, target(t, "second"))
	fetched := config.Fetched{Agent: "host-7", Namespace: "demo", Revision: 2, Epoch: "E1"}
	if err := b.Publish(t.Context(), events.ConfigFetched{Fetched: fetched}); err != nil {
		t.Fatal(err)
	}
	awaitApplied(t, applied, 2)

	before := a.countHeld()
	redis.Kill()
	a.awaitHeld(t, before)
	a.fetch(3, target(t, "third"))
	if v := a.await(t, 3); v.Status != config.Applied {
		t.Errorf("with Redis dead: %+v", v)
	}
}

// awaitBus returns once a worker has reached its bus, and runs on something.
func awaitBus(t *testing.T, w string) {
	t.Helper()
	var body string
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		_, _, body = get(t, w+"/v1/status")
		if strings.Contains(body, `"bus":{"state":"ok"}`) && strings.Contains(body, `"revision":1`) {
			return
		}
	}
	t.Fatalf("status %s", body)
}

func awaitApplied(t *testing.T, applied <-chan events.ConfigApplied, revision config.Revision) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-applied:
			if e.Revision == revision && e.Status == config.Applied && e.Agent == "host-7" {
				return
			}
		case <-late:
			t.Fatalf("revision %d was not told on the bus", revision)
		}
	}
}

// awaitHeld returns once more requests than before asked to be held.
func (a *agent) awaitHeld(t *testing.T, before int) {
	t.Helper()
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		if a.countHeld() > before {
			return
		}
	}
	t.Fatal("no request was held after the bus had gone")
}

func (a *agent) countHeld() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held
}

func TestSettingsThatAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, c := range map[string]struct {
		change func(*worker.Config)
		says   string
	}{
		"namespace":       {func(c *worker.Config) { c.Namespace = "De mo" }, "--namespace"},
		"id":              {func(c *worker.Config) { c.ID = "two words" }, "--id"},
		"agent":           {func(c *worker.Config) { c.Agent = "127.0.0.1:8081" }, "--agent"},
		"interval":        {func(c *worker.Config) { c.PollInterval = time.Millisecond }, "--poll-interval"},
		"hosts":           {func(c *worker.Config) { c.AllowHosts = []string{"http://x"} }, "--allow-hosts"},
		"no hosts":        {func(c *worker.Config) { c.AllowHosts = nil }, "--allow-hosts"},
		"bus":             {func(c *worker.Config) { c.Bus = "kafka://x" }, "--bus"},
		"state folder":    {func(c *worker.Config) { c.StateDir = file }, "--state-dir: "},
		"beyond loopback": {func(c *worker.Config) { c.Listen = "0.0.0.0:0" }, "--allow-anonymous"},
		"address in use":  {func(c *worker.Config) { c.Listen = taken.Addr().String() }, "in use"},
		"no port":         {func(c *worker.Config) { c.Listen = "127.0.0.1" }, "HOST:PORT"},
	} {
		settled := worker.Config{
			Listen: "127.0.0.1:0", Agent: "http://127.0.0.1:1", Namespace: "demo", ID: "w-1",
			StateDir: t.TempDir(), AllowHosts: []string{"127.0.0.1"},
		}
		c.change(&settled)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := worker.Run(ctx, settled, slog.New(slog.DiscardHandler))
		cancel()
		if !errors.Is(err, settings.ErrUsage) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want usage that speaks of %s", name, err, c.says)
		}
	}
}
