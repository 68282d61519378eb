package controller_test

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A running controller.
type running struct {
	t    *testing.T
	url  string
	stop func() error
}

// start runs a controller on a free port until the test ends or stop is called.
func start(t *testing.T, c controller.Config) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Listener = listener
	if c.DB == "" {
		c.DB = filepath.Join(t.TempDir(), "c.db")
	}
	if c.PollInterval == 0 {
		c.PollInterval = 15 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- controller.Run(ctx, c, quiet) }()
	r := &running{t: t, url: "http://" + listener.Addr().String()}
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		err := <-done
		http.DefaultClient.CloseIdleConnections()
		return err
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *running) ask(method, path, body string, headers ...string) (status int, answer string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, header := range headers {
		key, value, _ := strings.Cut(header, ": ")
		request.Header.Set(key, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
		return 0, ""
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Error(err)
	}
	return response.StatusCode, string(read)
}

// TestRefusals: what cannot be meant ends the start, in one line that says which
// setting and what to do.
func TestRefusals(t *testing.T) {
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
		change func(*controller.Config)
		says   string
	}{
		"beyond loopback":        {func(c *controller.Config) { c.Listen = "0.0.0.0:0" }, "--allow-anonymous"},
		"no port":                {func(c *controller.Config) { c.Listen = "127.0.0.1" }, "HOST:PORT"},
		"an address in use":      {func(c *controller.Config) { c.Listen = taken.Addr().String() }, "in use"},
		"no bus":                 {func(c *controller.Config) { c.Bus = "kafka://127.0.0.1" }, "--bus"},
		"a folder that is none":  {func(c *controller.Config) { c.DB = filepath.Join(file, "c.db") }, "--db"},
		"no database":            {func(c *controller.Config) { c.DB = "" }, "--db"},
		"an interval too short":  {func(c *controller.Config) { c.PollInterval = time.Millisecond }, "--poll-interval"},
		"an interval too long":   {func(c *controller.Config) { c.PollInterval = 48 * time.Hour }, "--poll-interval"},
		"a spread below nothing": {func(c *controller.Config) { c.Spread = -1 }, "--spread"},
		"a spread too long":      {func(c *controller.Config) { c.Spread = time.Minute }, "--spread"},
		"a key that is none":     {func(c *controller.Config) { c.SigningKey = file }, "--signing-key"},
		"a demo that is no URL":  {func(c *controller.Config) { c.Demo = "localhost:8080" }, "--demo"},
	} {
		t.Run(name, func(t *testing.T) {
			settled := controller.Config{Listen: "127.0.0.1:0", DB: filepath.Join(t.TempDir(), "c.db"), PollInterval: time.Second}
			c.change(&settled)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := controller.Run(ctx, settled, quiet)
			if !errors.Is(err, settings.ErrUsage) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

func TestAnonymousWhereItIsAllowed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it starts, and stops
	err := controller.Run(ctx, controller.Config{
		Listen: "0.0.0.0:0", AllowAnonymous: true, DB: filepath.Join(t.TempDir(), "c.db"), PollInterval: time.Second,
	}, quiet)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDemoIsCommittedOnce(t *testing.T) {
	c := controller.Config{DB: filepath.Join(t.TempDir(), "c.db"), Demo: "http://127.0.0.1:8080/healthz?a=1&b=2"}
	first := start(t, c)
	if _, body := first.ask("GET", "/v1/namespaces/demo/configs/fetch", ""); body != `{"url":"http://127.0.0.1:8080/healthz?a=1&b=2"}` {
		t.Errorf("%s", body)
	}
	if _, body := first.ask("GET", "/v1/namespaces/demo/revisions", ""); !strings.Contains(body, `"author":"herald"`) {
		t.Errorf("%s", body)
	}
	first.ask("DELETE", "/v1/namespaces/demo/configs/fetch", "")
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if status, _ := start(t, c).ask("GET", "/v1/namespaces/demo/configs/fetch", ""); status != 404 {
		t.Errorf("%d: what the operator deleted is back", status)
	}
}

// TestStop: held requests are answered, what was accepted is kept, and all of it
// takes a moment.
func TestStop(t *testing.T) {
	c := controller.Config{DB: filepath.Join(t.TempDir(), "c.db")}
	r := start(t, c)
	r.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`)
	r.ask("POST", "/v1/agents", `{"id":"host-7"}`)
	r.ask("POST", "/v1/agents/host-7/reports", `{"applied":[{"worker":"w-1","agent":"host-7","namespace":"payments","revision":1,"epoch":"","status":"applied","at":"2026-08-21T12:00:00Z","took_ms":1}]}`)
	request, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/v1/namespaces/payments/snapshot", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Herald-Agent", "host-7")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	held := make(chan int, 1)
	go func() {
		status, _ := r.ask("GET", "/v1/namespaces/payments/snapshot", "", "If-None-Match: "+response.Header.Get("ETag"), "Prefer: wait=60")
		held <- status
	}()
	time.Sleep(100 * time.Millisecond) // until it is held; sooner, it is answered 304 all the same
	begin := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("stopped after %s", took)
	}
	if status := <-held; status != 304 {
		t.Errorf("the held request was answered %d", status)
	}
	again := start(t, c)
	if _, body := again.ask("GET", "/v1/namespaces/payments/fleet", ""); !strings.Contains(body, `"workers":1,"current":1`) {
		t.Errorf("the fleet was not kept: %s", body)
	}
}

// await calls look until it is true.
func await(t *testing.T, what string, look func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if look() {
			return
		}
	}
	t.Fatalf("%s: not within 20 s", what)
}

// TestOverRedis: commits are announced, an outage costs nobody a commit and is
// followed by the newest revision, verdicts come back, and the stop flushes.
func TestOverRedis(t *testing.T) {
	redis := eventstest.Redis(t)
	r := start(t, controller.Config{Bus: redis.URL(), Spread: 100 * time.Millisecond})
	await(t, "the bus", func() bool {
		_, body := r.ask("GET", "/readyz", "")
		return strings.Contains(body, `"bus":{"state":"ok"}`)
	})
	announced := func() []string {
		entries, err := redis.Client().XRange(t.Context(), events.TopicChanged, "-", "+").Result()
		if err != nil {
			return nil
		}
		var seen []string
		for _, entry := range entries {
			e, ok := events.DecodeChanged(fmt.Append(nil, entry.Values["payload"]))
			if !ok || e.ETag == "" || e.Epoch == "" || e.SpreadMS != 100 {
				t.Errorf("announced %v", entry.Values)
			}
			seen = append(seen, e.ID())
		}
		return seen
	}
	for i := range 3 {
		if status, body := r.ask("PUT", "/v1/namespaces/payments/configs/limits", fmt.Sprint(i)); status/100 != 2 {
			t.Fatal(body)
		}
	}
	await(t, "the announcement", func() bool { seen := announced(); return len(seen) > 0 && seen[len(seen)-1] == "payments@3" })

	redis.Kill()
	await(t, "the outage", func() bool {
		_, body := r.ask("GET", "/readyz", "")
		return strings.Contains(body, `"bus":{"state":"down"}`)
	})
	for i := range 20 {
		begin := time.Now()
		if status, body := r.ask("PUT", "/v1/namespaces/payments/configs/limits", fmt.Sprint(100+i)); status != 200 || time.Since(begin) > 2*time.Second {
			t.Fatalf("a PUT waited for Redis: %d %s after %s", status, body, time.Since(begin))
		}
	}
	redis.Start()
	await(t, "the newest revision", func() bool { seen := announced(); return len(seen) > 0 && seen[len(seen)-1] == "payments@23" })
	// One announcement may have been under way all through the outage.
	if seen := announced(); len(seen) > 2 {
		t.Errorf("announced %v, want the newest alone, or behind the one that was under way", seen)
	}

	worker, err := bus.Open(redis.URL(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	verdict := events.ConfigApplied{Verdict: config.Verdict{Worker: "w-1", Namespace: "payments", Revision: 23, Status: config.Applied, At: time.Now()}}
	await(t, "the verdict", func() bool {
		if err := worker.Publish(t.Context(), verdict); err != nil {
			return false
		}
		_, body := r.ask("GET", "/v1/namespaces/payments/fleet", "")
		return strings.Contains(body, `"current":1`)
	})
}

// TestOutboxOutlivesAProcess: what could not be announced is announced after the
// next start.
func TestOutboxOutlivesAProcess(t *testing.T) {
	redis := eventstest.Redis(t)
	c := controller.Config{Bus: redis.URL(), DB: filepath.Join(t.TempDir(), "c.db")}
	redis.Kill()
	r := start(t, c)
	r.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`)
	begin := time.Now()
	if err := r.stop(); err != nil || time.Since(begin) > 9*time.Second {
		t.Fatalf("stopped after %s: %v", time.Since(begin), err)
	}
	redis.Start()
	start(t, c)
	await(t, "the announcement", func() bool {
		n, err := redis.Client().XLen(t.Context(), events.TopicChanged).Result()
		return err == nil && n == 1
	})
}
