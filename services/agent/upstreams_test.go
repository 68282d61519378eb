package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// A gate stands before an address, and can be shut.
type gate struct {
	*httptest.Server
	shut  atomic.Bool
	asked atomic.Int64
}

func newGate(t *testing.T, address string) *gate {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asked.Add(1)
		if g.shut.Load() {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// close shuts it, for requests that are held too.
func (g *gate) close() { g.shut.Store(true); g.CloseClientConnections() }

func (g *gate) open() { g.shut.Store(false) }

type upstreamsStatus struct {
	Upstreams []struct {
		URL, State, Circuit, Agent string
		Error                      string `json:"last_error"`
		Behind                     int
	}
	Namespaces map[string]struct {
		Revision int
		Stale    bool
	}
}

func statusOf(t *testing.T, address string) (s upstreamsStatus) {
	t.Helper()
	_, body := get(t, address+"/v1/status")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("after 30 s not: %s", what)
		}
	}
}

// TestRevisionsNeverGoBackAcrossUpstreams flips an agent between an upstream that
// goes forward and one that lags behind, while readers watch.
func TestRevisionsNeverGoBackAcrossUpstreams(t *testing.T) {
	ahead, behind := newController(t), newController(t)
	ahead.put("payments", 1, `1`)
	behind.put("payments", 1, `1`)
	first, second := newGate(t, ahead.URL), newGate(t, behind.URL)
	address, _ := run(t, agent.Config{Upstream: []string{first.URL, second.URL}, Namespaces: []string{"payments"}, PollInterval: 100 * time.Millisecond})
	await(t, "the first revision", func() bool { return statusOf(t, address).Namespaces["payments"].Revision == 1 })

	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() { watchForward(ctx, t, address) })
	}
	const rounds = 5
	for i := range config.Revision(rounds) {
		ahead.put("payments", 10*i+10, fmt.Sprint(i))
		want := int(10*i + 10)
		await(t, fmt.Sprint("revision ", want), func() bool { return statusOf(t, address).Namespaces["payments"].Revision == want })
		behind.put("payments", 10*i+5, fmt.Sprint(i))
		first.close() // what is left is behind
		await(t, "stale, and not older", func() bool {
			held := statusOf(t, address).Namespaces["payments"]
			if held.Revision < want {
				t.Fatalf("went back to %d", held.Revision)
			}
			return held.Stale
		})
		first.open()
	}
	ahead.put("payments", 1000, `1000`)
	await(t, "the first again", func() bool {
		s := statusOf(t, address)
		return s.Namespaces["payments"].Revision == 1000 && !s.Namespaces["payments"].Stale
	})
	stop()
	readers.Wait()
	if asked := second.asked.Load(); asked > 300 {
		t.Errorf("the one that is behind was asked %d times", asked)
	}
}

// watchForward reads until ctx ends, and complains of a revision below one it had.
func watchForward(ctx context.Context, t *testing.T, address string) {
	client := &pull.Client{Base: address, HTTP: pull.NewHTTPClient()}
	defer client.HTTP.CloseIdleConnections()
	var highest config.Position
	for ctx.Err() == nil {
		answer, err := client.Fetch(ctx, pull.Request{Namespace: "payments"})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Errorf("read: %v", err)
			return
		}
		if answer.Snapshot.Position.Compare(highest) < 0 {
			t.Errorf("%v after %v", answer.Snapshot.Position, highest)
		}
		highest = answer.Snapshot.Position
		time.Sleep(time.Millisecond)
	}
}

// TestAnAgentGoesBackToItsFirstUpstream, though the second one holds its request.
func TestAnAgentGoesBackToItsFirstUpstream(t *testing.T) {
	c := newController(t)
	c.put("payments", 1, `{}`)
	first := newGate(t, c.URL)
	first.close()
	address, _ := run(t, agent.Config{Upstream: []string{first.URL, c.URL}, Namespaces: []string{"payments"}, PollInterval: 20 * time.Second})
	await(t, "an open circuit", func() bool {
		s := statusOf(t, address)
		return len(s.Upstreams) == 2 && s.Upstreams[0].Circuit == "open" && s.Upstreams[0].State == "down" && s.Upstreams[1].State == "ok" && s.Namespaces["payments"].Revision == 1
	})
	_, metrics := get(t, address+"/metrics")
	if !strings.Contains(metrics, "herald_agent_upstreams_open 1") || !strings.Contains(metrics, "herald_agent_upstreams 2") {
		t.Error("no metric tells of the circuit")
	}
	first.open()
	await(t, "the first again", func() bool { return statusOf(t, address).Upstreams[0].Circuit == "closed" })
}

// TestALoopOfAgents: both keep what they have, both say what is wrong, and nobody
// asks more than a fleet that fails does.
func TestALoopOfAgents(t *testing.T) {
	c := newController(t)
	first := c.put("payments", 3, `{"rps":1}`)
	caches := []string{t.TempDir(), t.TempDir()}
	for i, id := range []string{"a", "b"} {
		address, stop := run(t, agent.Config{Upstream: []string{c.URL}, ID: id, CacheDir: caches[i]})
		get(t, address+snapshotPath)
		stop()
	}
	la, lb := listen(t), listen(t)
	toA, toB := newGate(t, "http://"+la.Addr().String()), newGate(t, "http://"+lb.Addr().String())
	began := time.Now()
	a, _ := run(t, agent.Config{Upstream: []string{toB.URL}, ID: "a", CacheDir: caches[0], Listener: la, PollInterval: 100 * time.Millisecond})
	b, _ := run(t, agent.Config{Upstream: []string{toA.URL}, ID: "b", CacheDir: caches[1], Listener: lb, PollInterval: 100 * time.Millisecond})
	for _, address := range []string{a, b} {
		await(t, "the loop is said", func() bool { return strings.Contains(statusOf(t, address).Upstreams[0].Error, "loop") })
	}
	for range 50 {
		for _, address := range []string{a, b} {
			answer, body := get(t, address+snapshotPath)
			if answer.StatusCode != 200 || body != string(first.Body) || answer.Header.Get("Herald-Stale") != "true" {
				t.Fatalf("%d %v", answer.StatusCode, answer.Header)
			}
			if hops := len(pull.Via(answer.Header)); hops < 1 || hops > 2 {
				t.Fatalf("Via %s", answer.Header.Get("Via"))
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	// A pull every 50 ms at first, registrations beside it: a storm would be thousands.
	if asked, most := toA.asked.Load()+toB.asked.Load(), int64(60+40*time.Since(began).Seconds()); asked > most {
		t.Errorf("%d requests in %s", asked, time.Since(began))
	}
}
