package usecase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A fakeController hears reports and registrations, or fails.
type fakeController struct {
	mu         sync.Mutex
	err        error
	reports    []config.Reports
	profiles   []domain.Profile
	assigned   []config.Name
	interval   time.Duration
	registered []time.Time
}

func (c *fakeController) Report(_ context.Context, r config.Reports) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.reports = append(c.reports, r)
	}
	return c.err
}

func (c *fakeController) Register(_ context.Context, p domain.Profile) (time.Duration, []config.Name, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.profiles, c.registered = append(c.profiles, p), append(c.registered, time.Now())
	return c.interval, c.assigned, c.err
}

func (c *fakeController) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.registered)
}

func (c *fakeController) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *fakeController) heard() (applied []config.Verdict, fetched []config.Fetched) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.reports {
		applied, fetched = append(applied, r.Applied...), append(fetched, r.Fetched...)
	}
	return applied, fetched
}

func start(t *testing.T, run func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

func TestReportsAreSentUntilHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeController{err: errors.New("refused")}
		r := NewReporter(c, noInterval, slog.New(slog.DiscardHandler))
		stop := start(t, r.Run)
		for i := range 100 {
			r.Add(config.Reports{Applied: []config.Verdict{
				{Worker: "w-1", Namespace: "payments", Revision: config.Revision(i), At: time.Now()},
				{Worker: fmt.Sprintf("w-%d", i), Namespace: "search", Revision: 1, At: time.Now()},
			}, Fetched: []config.Fetched{{Agent: "host-7", Namespace: "payments", Revision: config.Revision(i)}}})
			time.Sleep(100 * time.Millisecond)
		}
		if applied, _ := c.heard(); len(applied) != 0 {
			t.Fatalf("heard %v", applied)
		}
		c.fail(nil)
		time.Sleep(time.Minute)
		applied, fetched := c.heard()
		if len(applied) != 100+config.MostUnheard || len(fetched) != 1 || fetched[0].Revision != 99 {
			t.Errorf("%d verdicts, fetched %v", len(applied), fetched)
		}
		next := config.Revision(100 - config.MostUnheard)
		for _, v := range applied {
			if v.Namespace != "payments" {
				continue
			}
			if v.Revision != next {
				t.Fatalf("revision %d was sent, want %d", v.Revision, next)
			}
			next++
		}
		if waiting, dropped := r.Backlog(); next != 100 || waiting != 0 || dropped != 100-config.MostUnheard {
			t.Errorf("sent up to %d, %d wait, %d were dropped", next, waiting, dropped)
		}
		stop()
	})
}

func TestReportsAreFlushedAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeController{err: errors.New("refused")}
		r := NewReporter(c, noInterval, slog.New(slog.DiscardHandler))
		stop := start(t, r.Run)
		r.Add(config.Reports{Applied: []config.Verdict{{Worker: "w-1", Namespace: "payments", Revision: 1}}})
		synctest.Wait()
		c.fail(nil)
		stop()
		if applied, _ := c.heard(); len(applied) != 1 {
			t.Errorf("heard %v", applied)
		}
	})
}

func TestReportsAreBatchedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeController{}
		r := NewReporter(c, noInterval, slog.New(slog.DiscardHandler))
		for i := range maxReports + 500 {
			r.Add(config.Reports{Applied: []config.Verdict{{Worker: fmt.Sprintf("w-%d", i), Namespace: "payments", Revision: 1}}})
		}
		stop := start(t, r.Run)
		synctest.Wait()
		applied, _ := c.heard()
		if len(applied) != maxReports || len(c.reports) != maxReports/maxBatch {
			t.Errorf("%d verdicts in %d requests", len(applied), len(c.reports))
		}
		stop()
	})
}

// A fakePublisher notes what is told.
type fakePublisher struct {
	mu   sync.Mutex
	told []string
	slow time.Duration
}

func (p *fakePublisher) Publish(_ context.Context, e events.Event) error {
	time.Sleep(p.slow)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, e.Topic()+" "+e.ID())
	return errors.New("nobody knows")
}

func TestAnnouncerTellsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{slow: time.Second}
		a := NewAnnouncer(p, slog.New(slog.DiscardHandler))
		stop := start(t, a.Run)
		for i := range 100 {
			a.Tell(config.Fetched{Agent: "host-7", Namespace: "payments", Revision: config.Revision(i)})
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		stop()
		if len(p.told) > 4 || p.told[len(p.told)-1] != "config-fetched.host-7 host-7/payments@99" {
			t.Errorf("told %v", p.told)
		}
	})
}

func TestRegistrarFollowsWhatIsAssigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newSyncer(&fakeCache{})
		c := &fakeController{interval: 7 * time.Second, err: errors.New("refused")}
		r := &Registrar{Controller: c, Syncer: s, Profile: domain.Profile{ID: "host-7"}, Logger: slog.New(slog.DiscardHandler)}
		stop := start(t, r.Run)
		time.Sleep(11 * time.Second)
		if n := c.count(); n < 2 || n > 3 {
			t.Errorf("tried %d times in 11 s of failure", n)
		}
		c.fail(nil)
		time.Sleep(20 * time.Second)
		if s.Interval() != 7*time.Second {
			t.Errorf("interval %s", s.Interval())
		}
		before := c.count()
		time.Sleep(70 * time.Second)
		if n := c.count() - before; n < 8 || n > 13 {
			t.Errorf("one that follows nothing was seen %d times in 70 s, its interval is 7 s", n)
		}
		c.mu.Lock()
		c.assigned = []config.Name{"payments", "Not A Name"}
		c.mu.Unlock()
		time.Sleep(5 * time.Minute)
		if got := fmt.Sprint(s.Followed()); got != "[payments]" {
			t.Errorf("followed %s", got)
		}
		stop()
		if last := c.profiles[len(c.profiles)-1]; len(last.Namespaces) != 1 || last.ID != "host-7" {
			t.Errorf("registered as %+v", last)
		}
	})
}

func TestRegistrarIsPatientWithAnAgentAbove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newSyncer(&fakeCache{})
		c := &fakeController{err: domain.ErrAbsent}
		r := &Registrar{Controller: c, Syncer: s, Profile: domain.Profile{ID: "host-7"}, Logger: slog.New(slog.DiscardHandler)}
		stop := start(t, r.Run)
		time.Sleep(10 * time.Minute)
		stop()
		if n := c.count(); n < 8 || n > 13 {
			t.Errorf("asked %d times in 10 minutes", n)
		}
	})
}

func TestGoodbyesAndVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeController{err: errors.New("refused")}
		r := NewReporter(c, noInterval, slog.New(slog.DiscardHandler))
		stop := start(t, r.Run)
		at := func(second int) time.Time { return time.Unix(int64(second), 0) }
		tell := func(worker string, second int) {
			r.Add(config.Reports{Applied: []config.Verdict{{Worker: worker, Namespace: "payments", Revision: 1, At: at(second)}}})
		}
		leave := func(worker string, second int) {
			r.Add(config.Reports{Stopped: []config.Stopped{{Worker: worker, Agent: "host-7", Namespace: "payments", At: at(second)}}})
		}
		tell("gone", 1)
		leave("gone", 2)
		tell("gone", 1) // which comes late
		tell("back", 1)
		leave("back", 2)
		tell("back", 3)
		tell("overtaken", 3)
		leave("overtaken", 2)
		time.Sleep(10 * time.Second) // it is sent, put back, and sent again
		c.fail(nil)
		stop()
		r.Goodbye(t.Context(), "host-7")

		applied, _ := c.heard()
		var stopped []config.Stopped
		for _, report := range c.reports {
			stopped = append(stopped, report.Stopped...)
		}
		slices.SortFunc(applied, func(a, b config.Verdict) int { return cmp.Compare(a.Worker, b.Worker) })
		if len(applied) != 3 || applied[0].Worker != "back" || applied[1].Worker != "gone" || applied[2].Worker != "overtaken" {
			t.Errorf("verdicts %+v", applied)
		}
		if len(stopped) != 2 || stopped[0].Worker != "gone" || !stopped[1].OfAgent() || stopped[1].Agent != "host-7" {
			t.Errorf("goodbyes %+v", stopped)
		}
	})
}

func TestABatchIsWhatAnAgentAboveTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeController{}
		r := NewReporter(c, noInterval, slog.New(slog.DiscardHandler))
		for i := range 700 {
			who := fmt.Sprintf("w-%d", i)
			r.Add(config.Reports{
				Applied: []config.Verdict{{Worker: who, Namespace: "payments", Revision: 1}},
				Fetched: []config.Fetched{{Agent: who, Namespace: "payments", Revision: 1}},
				Stopped: []config.Stopped{{Worker: "b" + who, Namespace: "payments"}},
			})
		}
		stop := start(t, r.Run)
		synctest.Wait()
		total := 0
		for _, report := range c.reports {
			if total += report.Len(); report.Len() > maxBatch {
				t.Errorf("a batch of %d", report.Len())
			}
		}
		if total != 2100 {
			t.Errorf("%d reports arrived", total)
		}
		stop()
	})
}
