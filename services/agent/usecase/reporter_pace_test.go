package usecase

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

const testInterval = 15 * time.Second

func noInterval() time.Duration { return 0 }

// A workersOf counts requests, the longest silence of any worker, and how long what
// was new waited.
type workersOf struct {
	mu       sync.Mutex
	requests int
	heard    map[string]time.Time
	silence  time.Duration
	waited   time.Duration
}

func (c *workersOf) report(r config.Reports) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	for _, v := range r.Applied {
		if last, ok := c.heard[v.Worker]; ok {
			c.silence = max(c.silence, time.Since(last))
		} else {
			c.waited = max(c.waited, time.Since(v.At))
		}
		c.heard[v.Worker] = time.Now()
	}
}

// A counting controller counts what reaches it.
type counting struct {
	fakeController
	of workersOf
}

func (c *counting) Report(_ context.Context, r config.Reports) error {
	time.Sleep(2 * time.Millisecond)
	c.of.report(r)
	return nil
}

// requestsOf returns what that many workers cost in ten poll intervals of nothing
// but signs of life, and in the one before them, in which they say what is new.
func requestsOf(t *testing.T, workers int) (first, later int, silence, waited time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{of: workersOf{heard: map[string]time.Time{}}}
		r := NewReporter(c, func() time.Duration { return testInterval }, slog.New(slog.DiscardHandler))
		stop := start(t, r.Run)
		for round := range 11 {
			for i := range workers {
				r.Add(config.Reports{Applied: []config.Verdict{{Worker: fmt.Sprint("w-", i), Namespace: "payments", Revision: 1, At: time.Now()}}})
				time.Sleep(testInterval / time.Duration(workers))
			}
			if round == 0 {
				c.of.mu.Lock()
				first = c.of.requests
				c.of.mu.Unlock()
			}
		}
		c.of.mu.Lock()
		later, silence, waited = c.of.requests-first, c.of.silence, c.of.waited
		if len(c.of.heard) != workers {
			t.Errorf("%d of %d workers were heard", len(c.of.heard), workers)
		}
		c.of.mu.Unlock()
		stop()
	})
	return first, later, silence, waited
}

func TestRequestsDoNotGrowWithWorkers(t *testing.T) {
	for workers, most := range map[int]int{1: 1, 100: 100, 3000: 45} {
		first, later, silence, waited := requestsOf(t, workers)
		t.Logf("%d workers: %d requests while they are new, who wait for %s at most; %d in the ten poll intervals after that, silent %s",
			workers, first, waited, later, silence)
		if first > most {
			t.Errorf("%d new workers: %d requests, at most %d", workers, first, most)
		}
		if waited > 2100*time.Millisecond {
			t.Errorf("%d new workers: one waited for %s", workers, waited)
		}
		if later > 45 {
			t.Errorf("%d workers: %d requests in ten poll intervals, four each are enough", workers, later)
		}
		if silence > testInterval*3/2 {
			t.Errorf("%d workers: one was not heard for %s", workers, silence)
		}
	}
}

func TestNewsDoNotWaitForSignsOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeController{}
		r := NewReporter(c, func() time.Duration { return testInterval }, slog.New(slog.DiscardHandler))
		stop := start(t, r.Run)
		say := func(worker string, revision config.Revision) {
			r.Add(config.Reports{Applied: []config.Verdict{{Worker: worker, Namespace: "payments", Revision: revision, At: time.Now()}}})
			synctest.Wait()
		}
		heard := func(want int, when string) {
			t.Helper()
			if applied, _ := c.heard(); len(applied) != want {
				t.Errorf("%s: %d verdicts were heard, want %d", when, len(applied), want)
			}
		}
		say("a", 1)
		say("b", 1)
		heard(2, "new workers")
		time.Sleep(time.Second)
		say("a", 1)
		heard(2, "a sign of life")
		time.Sleep(time.Second)
		say("b", 2)
		heard(4, "a new revision, which takes the sign of life along")
		time.Sleep(time.Second)
		say("a", 1)
		time.Sleep(testInterval/4 - time.Millisecond)
		heard(4, "just before a quarter of the poll interval")
		time.Sleep(2 * time.Millisecond)
		heard(5, "after a quarter of the poll interval")
		stop()
	})
}

func TestTheVerdictsOfAFewDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeController{}
		r := NewReporter(c, func() time.Duration { return testInterval }, slog.New(slog.DiscardHandler))
		stop := start(t, r.Run)
		for change := range 200 { // one after the other, as fast as a fleet of one host takes them
			for worker := range 3 {
				r.Add(config.Reports{Applied: []config.Verdict{{Worker: fmt.Sprint("w-", worker), Namespace: "payments", Revision: config.Revision(change), At: time.Now()}}})
				time.Sleep(time.Millisecond)
			}
			time.Sleep(22 * time.Millisecond)
			if applied, _ := c.heard(); len(applied) != 3*(change+1) {
				t.Fatalf("change %d: %d verdicts were heard after 25 ms", change, len(applied))
			}
		}
		stop()
	})
}
