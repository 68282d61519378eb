package handler

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/telemetry"
)

// A bellman is an upstream whose pullers hand on what they are nudged about.
type bellman chan string

func (b bellman) Puller(config.Name, func(context.Context, domain.Answer) error, func(domain.Answer, error)) usecase.Puller {
	return b
}
func (bellman) Run(context.Context, *config.Snapshot) {}
func (b bellman) Nudge(at config.Position, spread time.Duration) {
	b <- fmt.Sprint(at.Revision, " ", spread)
}

// expect fails unless just that is the next nudge.
func (b bellman) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-b:
		if got != want {
			t.Fatalf("nudged about %s, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("not nudged about %s", want)
	}
}

// connected is the nudge of a subscription that stands: what was told before it is
// to be had by a pull.
const connected = "0 1s"

// A heaven says which agents stand above.
type heaven struct {
	mu      sync.Mutex
	agents  []string
	changed chan struct{}
}

func (h *heaven) above() ([]string, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.agents, h.changed
}

func (h *heaven) become(agents ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agents = agents
	close(h.changed)
	h.changed = make(chan struct{})
}

// An agent hears what those above it fetched, and nobody else, and others once
// others stand there.
func TestHearsTheAgentsAbove(t *testing.T) {
	heard := make(bellman, 100)
	syncer := usecase.NewSyncer(heard, nowhere{}, func(*config.Snapshot) {}, slog.New(slog.DiscardHandler))
	if err := syncer.Follow("payments"); err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open("memory://hears-above", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	h := &Handler{Syncer: syncer, Bus: b, Metrics: telemetry.NewRegistry()}
	h.Routes()
	tell := func(agent string, namespace config.Name, revision config.Revision) {
		t.Helper()
		fetched := config.Fetched{Agent: agent, Namespace: namespace, Revision: revision, Epoch: "01A", At: time.Now().UTC()}
		if err := b.Publish(t.Context(), events.ConfigFetched{Fetched: fetched}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	sky := &heaven{agents: []string{"relay-1"}, changed: make(chan struct{})}
	done := make(chan struct{})
	go func() { defer close(done); h.HearAbove(ctx, sky.above) }()

	heard.expect(t, connected)
	tell("relay-2", "payments", 1) // none of those above
	tell("relay-1", "search", 2)   // not followed
	if err := b.Produce(t.Context(), events.TopicFetched("relay-1"), []byte(`{"namespace":7`)); err != nil {
		t.Fatal(err)
	}
	tell("relay-1", "payments", 3)
	heard.expect(t, "3 0s")
	counted := func(outcome string) float64 {
		return testutil.ToFloat64(h.events.WithLabelValues("config-fetched", outcome))
	}
	for began := time.Now(); counted("not_followed") != 1 || counted("unreadable") != 1; time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%v not followed, %v unreadable, want 1 of each", counted("not_followed"), counted("unreadable"))
		}
	}

	sky.become("relay-2", "relay-3")
	heard.expect(t, connected)
	heard.expect(t, connected)
	tell("relay-1", "payments", 4) // no longer above
	tell("relay-2", "payments", 5)
	heard.expect(t, "5 0s")
	tell("relay-3", "payments", 6)
	heard.expect(t, "6 0s")

	sky.become() // the controller itself
	sky.become("relay-1")
	heard.expect(t, connected)
	tell("relay-1", "payments", 7)
	heard.expect(t, "7 0s")
	cancel()
	<-done
	if got := counted("nudged"); got != 4 {
		t.Errorf("%v nudged, want 4", got)
	}
}
