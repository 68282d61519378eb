package herald_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
)

// A gate stands before a controller. It lets everything pass but for reports, which
// it refuses or leaves without an answer while it is told to, and it notes the verdicts
// that passed.
type gate struct {
	*httptest.Server
	deaf, silent atomic.Bool

	mu     sync.Mutex
	passed []config.Verdict
}

func standGate(t *testing.T, target string) *gate {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/reports") && !g.hear(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// hear notes the verdicts of a report, or refuses it.
func (g *gate) hear(w http.ResponseWriter, r *http.Request) bool {
	if g.deaf.Load() {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return false
	}
	body, err := io.ReadAll(r.Body)
	if g.silent.Load() {
		<-r.Context().Done()
		return false
	}
	var reports config.Reports
	if err := errors.Join(err, json.Unmarshal(body, &reports)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passed = append(g.passed, reports.Applied...)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true
}

// heard are the verdicts that passed, as in "applied 2", without signs of life.
func (g *gate) heard() (said []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range g.passed {
		if word := fmt.Sprintf("%s %d", v.Status, v.Revision); len(said) == 0 || said[len(said)-1] != word {
			said = append(said, word)
		}
	}
	return said
}

// A limit is what the worker of these tests runs on; one below zero is refused.
type limit struct {
	RPS int `json:"rps"`
}

func (l limit) Validate() error {
	if l.RPS < 0 {
		return errors.New("rps below zero")
	}
	return nil
}

// watchLimits runs a worker, and returns what waits until it has tried a revision.
func watchLimits(t *testing.T, agent string) (tried func(revision int)) {
	t.Helper()
	value, err := sdk.Watch(t.Context(), "payments/limits", sdk.Options[limit]{Agent: agent, Worker: "w-1", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = value.Close() })
	return func(revision int) {
		t.Helper()
		await(t, 30*time.Second, fmt.Sprintf("the worker to try revision %d", revision), func() bool {
			now := value.Status()
			return now.Running != nil && int(now.Running.Revision) == revision ||
				now.LastRejected != nil && int(now.LastRejected.Revision) == revision
		})
	}
}

func startQuick(t *testing.T) string {
	t.Helper()
	db := filepath.Join(t.TempDir(), "controller.db")
	address, _ := started(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return controller.Run(ctx, controller.Config{Listener: listener, DB: db, PollInterval: 200 * time.Millisecond}, log)
	})
	return address
}

// A standing is what the controller knows of the worker.
type standing struct {
	State        string
	Running      struct{ Revision int }
	LastRejected struct {
		Revision int
		Message  string
	} `json:"last_rejected"`
}

func standingAt(t *testing.T, ctl string) standing {
	t.Helper()
	var fleet struct{ Workers []standing }
	_, body := call(t, http.MethodGet, ctl+"/v1/namespaces/payments/fleet", nil)
	if err := json.Unmarshal(body, &fleet); err != nil || len(fleet.Workers) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	return fleet.Workers[0]
}

// TestEachVerdictOfAnOutageArrives: what a worker tried while nobody heard it is told
// once that is over, each revision once and in order, through a relay too.
func TestEachVerdictOfAnOutageArrives(t *testing.T) {
	for _, rings := range []int{1, 2} {
		t.Run(fmt.Sprint(rings, " rings"), func(t *testing.T) {
			ctl := startQuick(t)
			put(t, ctl, "payments/configs/limits", `{"rps":1}`)
			way := standGate(t, ctl)
			host := way.URL
			for ring := range rings {
				host, _ = startAgent(t, fmt.Sprint("host-", ring), host, t.TempDir(), "")
			}
			tried := watchLimits(t, host)
			tried(1)
			await(t, 30*time.Second, "the first verdict", func() bool { return slices.Equal(way.heard(), []string{"applied 1"}) })
			way.deaf.Store(true)
			for i, document := range []string{`{"rps":2}`, `{"rps":-3}`, `{"rps":4}`} {
				put(t, ctl, "payments/configs/limits", document)
				tried(i + 2)
			}
			way.deaf.Store(false)
			var w standing
			await(t, 90*time.Second, "revision 4 and the rejection of 3 to be known", func() bool {
				w = standingAt(t, ctl)
				return w.Running.Revision == 4 && w.LastRejected.Revision != 0
			})
			if w.State != "current" || w.LastRejected.Revision != 3 || w.LastRejected.Message != "rps below zero" {
				t.Errorf("the worker stands at %+v", w)
			}
			if want := []string{"applied 1", "applied 2", "rejected 3", "applied 4"}; !slices.Equal(way.heard(), want) {
				t.Errorf("heard %q, want %q", way.heard(), want)
			}
		})
	}
}

// TestVerdictsOutliveTheirAgent: what an agent took over and could not hand on, or was
// about to, is handed on by the next one in its folder, though the first was killed the
// moment it had taken it.
func TestVerdictsOutliveTheirAgent(t *testing.T) {
	for name, closed := range map[string]func(*gate) *atomic.Bool{
		"refused": func(g *gate) *atomic.Bool { return &g.deaf },
		"hanging": func(g *gate) *atomic.Bool { return &g.silent },
	} {
		t.Run(name, func(t *testing.T) {
			ctl := startQuick(t)
			for _, document := range []string{`{"rps":1}`, `{"rps":2}`} {
				put(t, ctl, "payments/configs/limits", document)
			}
			way := standGate(t, ctl)
			closed(way).Store(true)
			agent := startProgram(t, "agent", "--id", "host", "--upstream", way.URL, "--cache-dir", t.TempDir(), "--trust", "none")
			for _, verdict := range []string{`"revision":1,"status":"rejected","message":"no"`, `"revision":2,"status":"applied"`} {
				body := `{"applied":[{"worker":"w-1","namespace":"payments",` + verdict + `}]}`
				if answer, said := call(t, http.MethodPost, agent.url()+"/v1/reports", []byte(body)); answer.StatusCode != http.StatusAccepted {
					t.Fatalf("%d: %s", answer.StatusCode, said)
				}
			}
			agent.kill()
			closed(way).Store(false)
			agent.start()
			await(t, 60*time.Second, "both verdicts", func() bool { return slices.Equal(way.heard(), []string{"rejected 1", "applied 2"}) })
		})
	}
}

// TestWhoLeavesIsHeardOut: the verdicts of a worker that stopped while nobody heard
// them arrive before its goodbye does.
func TestWhoLeavesIsHeardOut(t *testing.T) {
	ctl := startQuick(t)
	put(t, ctl, "payments/configs/limits", `{"rps":1}`)
	way := standGate(t, ctl)
	host, _ := startAgent(t, "host", way.URL, t.TempDir(), "")
	way.deaf.Store(true)
	for _, body := range []string{
		`{"applied":[{"worker":"w-1","namespace":"payments","revision":1,"status":"rejected","message":"no"}]}`,
		`{"stopped":[{"worker":"w-1","namespace":"payments","at":"` + time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano) + `"}]}`,
	} {
		if answer, said := call(t, http.MethodPost, host+"/v1/reports", []byte(body)); answer.StatusCode != http.StatusAccepted {
			t.Fatalf("%d: %s", answer.StatusCode, said)
		}
	}
	way.deaf.Store(false)
	await(t, 60*time.Second, "the rejection", func() bool { return slices.Equal(way.heard(), []string{"rejected 1"}) })
	await(t, 10*time.Second, "the worker to be gone", func() bool { return len(workersOf(t, ctl)) == 0 })
}
