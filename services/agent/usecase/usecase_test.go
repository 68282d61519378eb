package usecase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A fakeUpstream hands out pullers whose answers the test gives.
type fakeUpstream struct {
	mu      sync.Mutex
	pullers map[config.Name]*fakePuller
}

type fakePuller struct {
	mu      sync.Mutex
	keep    func(context.Context, domain.Answer) error
	observe func(domain.Answer, error)
	have    *config.Snapshot
	running bool
	nudges  []config.Position
}

func (u *fakeUpstream) Puller(ns config.Name, keep func(context.Context, domain.Answer) error, observe func(domain.Answer, error)) Puller {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pullers == nil {
		u.pullers = map[config.Name]*fakePuller{}
	}
	p := &fakePuller{keep: keep, observe: observe}
	u.pullers[ns] = p
	return p
}

func (u *fakeUpstream) of(ns config.Name) *fakePuller {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pullers[ns]
}

func (p *fakePuller) Run(ctx context.Context, have *config.Snapshot) {
	p.mu.Lock()
	p.have, p.running = have, true
	p.mu.Unlock()
	<-ctx.Done()
}

func (p *fakePuller) Nudge(at config.Position, _ time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nudges = append(p.nudges, at)
}

func (p *fakePuller) nudged() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.nudges)
}

// pull is what a Puller does with an answer.
func (p *fakePuller) pull(a domain.Answer, err error) error {
	if err == nil && a.Snapshot != nil {
		err = p.keep(context.Background(), a)
	}
	p.observe(a, err)
	return err
}

// A fakeCache is a disk that can fail.
type fakeCache struct {
	kept map[config.Name]*config.Snapshot
	err  error
}

func (c *fakeCache) Keep(s *config.Snapshot, _ time.Time) error {
	if c.err == nil {
		c.kept[s.Namespace] = s
	}
	return c.err
}

func (c *fakeCache) Load(ns config.Name) domain.Holding {
	if s := c.kept[ns]; s != nil {
		return domain.Restored(s, time.Now())
	}
	return domain.Holding{}
}

func (c *fakeCache) Namespaces() ([]config.Name, error) {
	var names []config.Name
	for name := range c.kept {
		names = append(names, name)
	}
	return names, c.err
}

func snapshot(ns config.Name, revision config.Revision) *config.Snapshot {
	return config.Seal(ns, config.Position{Epoch: "01A", Revision: revision}, nil, nil)
}

func newSyncer(c *fakeCache) (*Syncer, *fakeUpstream, *[]config.Revision) {
	if c.kept == nil {
		c.kept = map[config.Name]*config.Snapshot{}
	}
	told := &[]config.Revision{}
	u := &fakeUpstream{}
	s := NewSyncer(u, c, func(s *config.Snapshot) { *told = append(*told, s.Revision) }, slog.New(slog.DiscardHandler))
	return s, u, told
}

func TestKeepThenTell(t *testing.T) {
	cache := &fakeCache{}
	s, u, told := newSyncer(cache)
	if err := s.Follow("payments"); err != nil {
		t.Fatal(err)
	}
	_, changed, err := s.Latest("payments")
	if !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("before the first pull: %v", err)
	}
	if err := u.of("payments").pull(domain.Answer{Snapshot: snapshot("payments", 1), Interval: 7 * time.Second}, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("who waits was not woken")
	}
	if got, _, err := s.Latest("payments"); err != nil || got.Revision != 1 || cache.kept["payments"] != got || len(*told) != 1 {
		t.Errorf("served %v, %v; kept %v, told %v", got, err, cache.kept, *told)
	}
	if s.Interval() != 7*time.Second {
		t.Errorf("interval %s", s.Interval())
	}

	cache.err = errors.New("disk full")
	if err := u.of("payments").pull(domain.Answer{Snapshot: snapshot("payments", 2)}, nil); err == nil {
		t.Error("what could not be kept was accepted")
	}
	if got, _, _ := s.Latest("payments"); got.Revision != 1 || len(*told) != 1 || !s.Holding("payments").Stale {
		t.Errorf("not kept, and yet served %d or told %v", got.Revision, *told)
	}
}

func TestAnOlderSnapshotIsRefused(t *testing.T) {
	s, u, told := newSyncer(&fakeCache{kept: map[config.Name]*config.Snapshot{"payments": snapshot("payments", 5)}})
	if err := s.Remember(); err != nil {
		t.Fatal(err)
	}
	if err := u.of("payments").pull(domain.Answer{Snapshot: snapshot("payments", 4)}, nil); !errors.Is(err, config.ErrOlder) {
		t.Errorf("error %v", err)
	}
	if got, _, _ := s.Latest("payments"); got.Revision != 5 || len(*told) != 0 {
		t.Errorf("served %d, told %v", got.Revision, *told)
	}
}

func TestSyncerRunsWhatIsFollowedBeforeAndAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u, _ := newSyncer(&fakeCache{kept: map[config.Name]*config.Snapshot{"payments": snapshot("payments", 5)}})
		if err := s.Remember(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		synctest.Wait()
		if err := s.Follow("search", "payments"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if p := u.of("payments"); !p.running || p.have.Revision != 5 {
			t.Errorf("payments: %+v", p)
		}
		if p := u.of("search"); !p.running || p.have != nil {
			t.Errorf("search: %+v", p)
		}
		if got := fmt.Sprint(s.Followed()); got != "[payments search]" {
			t.Errorf("followed %s", got)
		}
		s.Nudge("payments", config.Position{Revision: 6}, 0)
		s.Nudge("unknown", config.Position{Revision: 6}, 0)
		s.NudgeAll(time.Second)
		if a, b := u.of("payments").nudged(), u.of("search").nudged(); a != 2 || b != 1 {
			t.Errorf("nudged %d and %d times", a, b)
		}
		cancel()
		<-done
	})
}

func TestEnsureWaitsForTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, u, _ := newSyncer(&fakeCache{})
		time.AfterFunc(time.Second, func() { _ = u.of("payments").pull(domain.Answer{}, domain.ErrAbsent) })
		start := time.Now()
		began, err := s.Ensure(t.Context(), "payments", 5*time.Second)
		if !began || err != nil || time.Since(start) != time.Second {
			t.Errorf("began %v, error %v, after %s", began, err, time.Since(start))
		}
		if _, _, err := s.Latest("payments"); !errors.Is(err, domain.ErrAbsent) {
			t.Errorf("error %v", err)
		}
		start = time.Now()
		if began, _ := s.Ensure(t.Context(), "payments", 5*time.Second); began || time.Since(start) != 0 {
			t.Errorf("the second caller waited %s", time.Since(start))
		}
		if began, _ := s.Ensure(t.Context(), "silent", 5*time.Second); !began || time.Since(start) != 5*time.Second {
			t.Errorf("patience was %s", time.Since(start))
		}
	})
}

func TestFollowingIsBounded(t *testing.T) {
	s, _, _ := newSyncer(&fakeCache{})
	for i := range domain.MaxNamespaces {
		if err := s.Follow(config.Name(fmt.Sprintf("n%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Ensure(t.Context(), "one-more", time.Second); !errors.Is(err, domain.ErrTooMany) {
		t.Errorf("error %v", err)
	}
}

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
		r := NewReporter(c, slog.New(slog.DiscardHandler))
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
		if len(applied) != 101 || len(fetched) != 1 || fetched[0].Revision != 99 {
			t.Errorf("%d verdicts, fetched %v", len(applied), fetched)
		}
		for _, v := range applied {
			if v.Namespace == "payments" && v.Revision != 99 {
				t.Errorf("an outdated verdict was sent: %+v", v)
			}
		}
		stop()
	})
}

func TestReportsAreFlushedAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeController{err: errors.New("refused")}
		r := NewReporter(c, slog.New(slog.DiscardHandler))
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
		r := NewReporter(c, slog.New(slog.DiscardHandler))
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
