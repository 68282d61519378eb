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
	kept     map[config.Name]*config.Snapshot
	interval time.Duration
	tried    int // to keep the interval
	err      error
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

func (c *fakeCache) Check() error { return c.err }

func (c *fakeCache) KeepInterval(told time.Duration) error {
	c.tried++
	if c.err == nil {
		c.interval = told
	}
	return c.err
}

func (c *fakeCache) Interval() time.Duration { return c.interval }

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

}

// A disk that fails keeps nobody from what is new, and is tried again with each pull.
func TestADiskThatFails(t *testing.T) {
	cache := &fakeCache{}
	s, u, told := newSyncer(cache)
	if err := s.Follow("payments"); err != nil {
		t.Fatal(err)
	}
	p := u.of("payments")
	if s.CheckDisk(); !s.Disk().OK() {
		t.Errorf("at the start: %+v", s.Disk())
	}
	full := errors.New("disk full")
	cache.err = full
	if err := p.pull(domain.Answer{Snapshot: snapshot("payments", 2)}, nil); err != nil {
		t.Errorf("refused for the disk's sake: %v", err)
	}
	if got, _, err := s.Latest("payments"); err != nil || got.Revision != 2 || len(*told) != 1 {
		t.Errorf("served %v, %v; told %v", got, err, *told)
	}
	if h := s.Holding("payments"); h.Stale || !errors.Is(h.Unkept, full) || s.Disk().OK() || s.Disk().LastError != "disk full" {
		t.Errorf("holding %+v, disk %+v", h, s.Disk())
	}
	_ = p.pull(domain.Answer{}, errors.New("upstream is gone"))
	if h := s.Holding("payments"); h.Unkept == nil || cache.kept["payments"] != nil {
		t.Errorf("kept on a disk that is full: %+v", h)
	}
	cache.err = nil
	_ = p.pull(domain.Answer{}, errors.New("upstream is gone"))
	if h := s.Holding("payments"); h.Unkept != nil || h.Err == nil || cache.kept["payments"] != h.Snapshot || !s.Disk().OK() || len(*told) != 1 {
		t.Errorf("room again, and yet %+v, disk %+v, told %v", h, s.Disk(), *told)
	}
	cache.err = full
	s.CheckDisk() // as at the start: nothing waits to be kept
	cache.err = nil
	_ = p.pull(domain.Answer{}, nil)
	if !s.Disk().OK() {
		t.Errorf("was not tried again: %+v", s.Disk())
	}
}

func TestAnOlderSnapshotIsRefused(t *testing.T) {
	s, u, told := newSyncer(&fakeCache{kept: map[config.Name]*config.Snapshot{"payments": snapshot("payments", 5)}})
	if err := s.Follow("payments"); err != nil {
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
		if err := s.Follow("payments"); err != nil {
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

// What is refused is told once, and once it is refused no more: be it that upstream
// has again what is held, unchanged or sent anew.
func TestWithheldIsToldWithItsEnd(t *testing.T) {
	s, u, _ := newSyncer(&fakeCache{})
	var told []string
	s.OnWithheld(func(_ config.Name, w *domain.Withheld, held *config.Snapshot) {
		if w == nil {
			told = append(told, fmt.Sprint("has ", held.Revision))
		} else {
			told = append(told, fmt.Sprint(w.Code, " ", w.Revision))
		}
	})
	signed := true
	s.Require(func(context.Context, *config.Snapshot) error {
		if !signed {
			return config.ErrUnknownKey
		}
		return nil
	})
	if err := s.Follow("payments"); err != nil {
		t.Fatal(err)
	}
	p := u.of("payments")
	for _, each := range []struct {
		a      domain.Answer
		signed bool
	}{
		{domain.Answer{Snapshot: snapshot("payments", 5)}, true},
		{domain.Answer{Snapshot: snapshot("payments", 4)}, true},
		{domain.Answer{Snapshot: snapshot("payments", 4)}, true},
		{domain.Answer{Snapshot: snapshot("payments", 5)}, true},
		{domain.Answer{Snapshot: snapshot("payments", 6)}, false},
		{domain.Answer{}, true},
	} {
		signed = each.signed
		_ = p.pull(each.a, nil)
	}
	if got, want := fmt.Sprint(told), "[older 4 has 5 signature 6 has 5]"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if told := s.Withheld("host-7"); len(told) != 0 {
		t.Errorf("still refused: %+v", told)
	}
}
