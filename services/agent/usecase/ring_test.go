package usecase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A fakeRegistry counts what a ring costs what stands above.
type fakeRegistry struct {
	mu     sync.Mutex
	err    error
	passed []string
	paths  [][]string
	seen   []map[string]float64 // a request each
	heard  domain.Heard
	more   string // what is said to who registers, besides
}

func (f *fakeRegistry) Pass(_ context.Context, registration []byte, path []string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	f.passed, f.paths = append(f.passed, string(registration)), append(f.paths, path)
	return []byte(`{"id":"x","poll_interval_seconds":15,"namespaces":[],"more":1` + f.more + `}`), nil
}

func (f *fakeRegistry) Seen(_ context.Context, seen []config.Seen) (domain.Heard, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return domain.Heard{}, f.err
	}
	batch := map[string]float64{}
	for _, each := range seen {
		batch[each.Agent] = each.Age
	}
	f.seen = append(f.seen, batch)
	return f.heard, nil
}

func (f *fakeRegistry) set(change func(*fakeRegistry)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// requests is the count of requests so far; to be asked where the ring still runs.
func (f *fakeRegistry) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seen)
}

// inRing runs a test with a ring that tells every 15 s.
func inRing(t *testing.T, test func(t *testing.T, r *Ring, above *fakeRegistry)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		above := &fakeRegistry{}
		r := NewRing(above, func() time.Duration { return 15 * time.Second }, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx) })
		defer running.Wait()
		defer cancel()
		test(t, r, above)
	})
}

func join(t *testing.T, r *Ring, id string) string {
	t.Helper()
	answer, err := r.Register(t.Context(), id, []byte(`{"id":"`+id+`"}`), []string{"relay"})
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return string(answer)
}

// TestARingCostsOneRequestAPollInterval: not one for each agent in it.
func TestARingCostsOneRequestAPollInterval(t *testing.T) {
	for _, agents := range []int{1, 10, 3000} {
		inRing(t, func(t *testing.T, r *Ring, above *fakeRegistry) {
			for i := range agents {
				join(t, r, fmt.Sprint("host-", i))
			}
			if len(above.passed) != agents {
				t.Errorf("%d registrations of %d were passed on", len(above.passed), agents)
			}
			time.Sleep(7 * time.Second)
			for range 40 { // ten minutes, in which each pulls and registers again
				time.Sleep(15 * time.Second)
				for i := range agents {
					r.Asking(fmt.Sprint("host-", i))()
					join(t, r, fmt.Sprint("host-", i))
				}
			}
			synctest.Wait()
			if len(above.passed) != agents || len(above.seen) < 38 || len(above.seen) > 41 {
				t.Errorf("%d agents cost %d registrations and %d requests in ten minutes", agents, len(above.passed), len(above.seen))
			}
			if last := above.seen[len(above.seen)-1]; len(last) != agents {
				t.Errorf("%d of %d live", len(last), agents)
			}
		})
	}
}

func TestWhoIsSilentIsNotSaidToLive(t *testing.T) {
	inRing(t, func(t *testing.T, r *Ring, above *fakeRegistry) {
		join(t, r, "silent")
		join(t, r, "held")
		join(t, r, "gone")
		done := r.Asking("held")
		r.Asking("nobody")()
		r.Leave([]config.Stopped{{Agent: "gone"}, {Agent: "held", Worker: "w-1", Namespace: "payments"}})
		above.set(func(f *fakeRegistry) { f.err = errors.New("refused") })
		time.Sleep(40 * time.Second)
		r.Asking("silent")()
		above.set(func(f *fakeRegistry) { f.err = nil })
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if want := (map[string]float64{"silent": 5, "held": 0}); len(above.seen) != 2 || !maps.Equal(above.seen[0], want) {
			t.Errorf("said %v, want %v", above.seen, want)
		}
		time.Sleep(time.Second)
		done()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(above.seen); n != 3 || !maps.Equal(above.seen[2], map[string]float64{"held": 14}) {
			t.Errorf("said %v", above.seen)
		}
	})
}

func TestRegistrationsBelow(t *testing.T) {
	inRing(t, func(t *testing.T, r *Ring, above *fakeRegistry) {
		away := fmt.Errorf("%w: refused", domain.ErrAway)
		above.set(func(f *fakeRegistry) { f.err = away })
		if _, err := r.Register(t.Context(), "a", []byte(`{"id":"a"}`), nil); !errors.Is(err, domain.ErrAway) || r.Len() != 0 {
			t.Errorf("nobody above: %v", err)
		}
		above.set(func(f *fakeRegistry) { f.err = nil })
		first := join(t, r, "a")
		if !strings.Contains(first, `"more":1`) || len(above.paths[0]) != 1 {
			t.Errorf("answered %s", first)
		}
		time.Sleep(2 * time.Hour)
		above.set(func(f *fakeRegistry) { f.err = away })
		if join(t, r, "a") != first {
			t.Error("the last answer is lost while nobody is above")
		}
		if _, err := r.Register(t.Context(), "a", []byte(`{"id":"a","version":"2"}`), nil); !errors.Is(err, domain.ErrAway) {
			t.Errorf("another registration: %v", err)
		}
		above.set(func(f *fakeRegistry) { f.err = errors.New("forbidden") })
		if _, err := r.Register(t.Context(), "a", []byte(`{"id":"a"}`), nil); err == nil {
			t.Error("a refusal is passed over")
		}
		// What an operator sets comes with what is said of those that live.
		above.set(func(f *fakeRegistry) {
			f.err, f.heard = nil, domain.Heard{Agents: map[string]domain.Assignment{"a": {Interval: 5, Namespaces: []config.Name{"search"}}}}
		})
		join(t, r, "a")
		time.Sleep(time.Second)
		r.Asking("a")()
		time.Sleep(16 * time.Second)
		if got := join(t, r, "a"); !strings.Contains(got, `"poll_interval_seconds":5`) || !strings.Contains(got, `"search"`) || !strings.Contains(got, `"more":1`) || r.Interval("a") != 5*time.Second {
			t.Errorf("answered %s", got)
		}
		if told := r.Heard([]config.Seen{{Agent: "a"}, {Agent: "b"}}); told.Agents["a"].Interval != 5 || len(told.Unknown) != 1 || told.Unknown[0] != "b" {
			t.Errorf("a relay below is told %+v", told)
		}
		// Taken back, or forgotten above, it is passed on anew.
		for _, heard := range []domain.Heard{{}, {Unknown: []string{"a"}}} {
			passed := len(above.passed)
			above.set(func(f *fakeRegistry) { f.heard = heard })
			time.Sleep(time.Second)
			r.Asking("a")()
			time.Sleep(16 * time.Second)
			if join(t, r, "a"); len(above.passed) != passed+1 {
				t.Errorf("%+v: not passed on", heard)
			}
		}
	})
}

// What an operator lets through reaches an agent below with its next registration,
// though these are answered from memory; and it is said no longer than it is true.
func TestWhatIsLetThroughBelow(t *testing.T) {
	inRing(t, func(t *testing.T, r *Ring, above *fakeRegistry) {
		join(t, r, "a")
		hear := func(heard domain.Heard) string {
			above.set(func(f *fakeRegistry) { f.heard = heard })
			time.Sleep(time.Second)
			r.Asking("a")()
			time.Sleep(15 * time.Second)
			return join(t, r, "a")
		}
		accepted := domain.Acceptance{Namespace: "payments", Position: config.Position{Epoch: "01B", Revision: 7}, ETag: "e"}
		set := domain.Heard{Agents: map[string]domain.Assignment{"a": {Interval: 15, Accepted: []domain.Acceptance{accepted}}}}
		const told = `"accepted":[{"namespace":"payments","epoch":"01B","revision":7,"etag":"e"}]`
		if got := hear(set); !strings.Contains(got, told) || len(above.passed) != 1 {
			t.Errorf("answered %s, after %d registrations above", got, len(above.passed))
		}
		if below := r.Heard([]config.Seen{{Agent: "a"}}); len(below.Agents["a"].Accepted) != 1 {
			t.Errorf("a relay below is told %+v", below)
		}
		if got := hear(domain.Heard{}); strings.Contains(got, "accepted") {
			t.Errorf("said again after it was done with: %s", got)
		}
		// An answer that came with it is not kept.
		above.set(func(f *fakeRegistry) { f.more = "," + told })
		join(t, r, "b")
		above.set(func(f *fakeRegistry) { f.more = "" })
		if got := join(t, r, "b"); strings.Contains(got, "accepted") {
			t.Errorf("answered from memory: %s", got)
		}
	})
}
