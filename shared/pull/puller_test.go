package pull

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// An upstream answers a Puller as a test tells it, and notes when it was asked.
type upstream struct {
	mu       sync.Mutex
	revision config.Revision
	err      error
	interval time.Duration
	deaf     bool // it ignores the wait preference
	changed  chan struct{}
	asked    []ask
}

type ask struct {
	at time.Time
	q  Request
}

func newUpstream(revision config.Revision) *upstream {
	return &upstream{revision: revision, interval: 15 * time.Second, changed: make(chan struct{})}
}

func snapshotAt(revision config.Revision) *config.Snapshot {
	return config.Seal("payments", config.Position{Epoch: "01A", Revision: revision}, nil, nil)
}

func (u *upstream) commit(revision config.Revision) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.revision = revision
	close(u.changed)
	u.changed = make(chan struct{})
}

func (u *upstream) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.err = err
}

func (u *upstream) asks() []ask {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]ask(nil), u.asked...)
}

func (u *upstream) Fetch(ctx context.Context, q Request) (Answer, error) {
	u.mu.Lock()
	u.asked = append(u.asked, ask{time.Now(), q})
	u.mu.Unlock()
	timeout := time.NewTimer(q.Wait)
	defer timeout.Stop()
	for {
		u.mu.Lock()
		revision, err, changed := u.revision, u.err, u.changed
		u.mu.Unlock()
		answer := Answer{Interval: u.interval}
		if err != nil {
			return answer, err
		}
		if s := snapshotAt(revision); revision > 0 && s.ETag != q.Have {
			answer.Snapshot = s
			return answer, nil
		}
		if u.deaf || q.Wait == 0 {
			return answer, nil
		}
		select {
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		case <-changed:
		case <-timeout.C:
			return answer, nil
		}
	}
}

// run starts a Puller on the upstream and returns what it kept, as a function.
func run(t *testing.T, u *upstream, set func(*Puller)) (*Puller, func() []config.Revision) {
	t.Helper()
	var mu sync.Mutex
	var kept []config.Revision
	p := &Puller{
		Namespace: "payments", Fetch: u.Fetch, Identity: "host-7",
		Keep: func(_ context.Context, a Answer) error {
			mu.Lock()
			defer mu.Unlock()
			kept = append(kept, a.Snapshot.Revision)
			return nil
		},
	}
	if set != nil {
		set(p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx, nil) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p, func() []config.Revision {
		mu.Lock()
		defer mu.Unlock()
		return append([]config.Revision(nil), kept...)
	}
}

func holding() bool { return true }

func TestPullerPollsByTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		_, kept := run(t, u, nil)
		time.Sleep(10 * time.Minute)
		asked := u.asks()
		if n := len(asked); n < 34 || n > 50 {
			t.Errorf("%d pulls in 10 minutes at an interval of 15 s", n)
		}
		for i := 2; i < len(asked); i++ {
			if gap := asked[i].at.Sub(asked[i-1].at); gap < 12*time.Second || gap > 18*time.Second {
				t.Errorf("pull %d came after %s, want 15 s ± 20 %%", i, gap)
			}
			if asked[i].q.Have != snapshotAt(1).ETag || asked[i].q.Wait != 0 {
				t.Errorf("pull %d: %+v", i, asked[i].q)
			}
		}
		if got := kept(); len(got) != 1 || got[0] != 1 {
			t.Errorf("kept %v", got)
		}
	})
}

func TestPullerPhasesDiffer(t *testing.T) {
	seen := map[time.Duration]bool{}
	for _, id := range []string{"a", "b", "c", "host-1", "host-2"} {
		p := phase(id+"/payments", time.Minute)
		if p < 0 || p >= time.Minute {
			t.Errorf("phase of %s is %s", id, p)
		}
		seen[p] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d phases of 5 agents", len(seen))
	}
}

func TestNudgePullsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		p, kept := run(t, u, nil)
		time.Sleep(time.Second)
		u.commit(2)
		p.Nudge(Nudge{Position: config.Position{Epoch: "01A", Revision: 2}})
		time.Sleep(100 * time.Millisecond)
		if got := kept(); len(got) != 2 || got[1] != 2 {
			t.Fatalf("kept %v", got)
		}
		before := len(u.asks())
		for range 100 {
			p.Nudge(Nudge{Position: config.Position{Epoch: "01A", Revision: 2}})
			p.Nudge(Nudge{Position: config.Position{Revision: 1}}) // a script's, without an epoch
		}
		time.Sleep(100 * time.Millisecond)
		if n := len(u.asks()); n != before {
			t.Errorf("%d pulls for what is held", n-before)
		}
	})
}

func TestNudgesCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		p, _ := run(t, u, nil)
		time.Sleep(time.Second)
		before := len(u.asks())
		for range 1000 {
			p.Nudge(Nudge{})
			time.Sleep(time.Millisecond)
		}
		if n := len(u.asks()) - before; n > 21 {
			t.Errorf("%d pulls for 1000 nudges in a second", n)
		}
	})
}

func TestNudgeSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		var fleet []*Puller
		for range 40 {
			p, _ := run(t, u, nil)
			fleet = append(fleet, p)
		}
		time.Sleep(minGap) // so that each has begun
		before := len(u.asks())
		for _, p := range fleet {
			p.Nudge(Nudge{Spread: 4 * time.Second})
		}
		time.Sleep(4 * time.Second)
		asked := u.asks()[before:]
		if n := len(asked); n < 40 || asked[n-1].at.Sub(asked[0].at) < 2*time.Second {
			t.Errorf("%d pulls, %s apart", n, asked[n-1].at.Sub(asked[0].at))
		}
	})
}

func TestHeldGetSeesAChangeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		_, kept := run(t, u, func(p *Puller) { p.Hold = holding })
		time.Sleep(100 * time.Second)
		u.commit(2)
		synctest.Wait()
		if got := kept(); len(got) != 2 || got[1] != 2 {
			t.Fatalf("kept %v", got)
		}
		if n := len(u.asks()); n > 10 {
			t.Errorf("%d requests in 100 s, each may be held 15 s", n)
		}
		if q := u.asks()[1].q; q.Wait != 15*time.Second {
			t.Errorf("held for %s", q.Wait)
		}
	})
}

func TestHeldGetFallsBackToPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		u.deaf = true
		run(t, u, func(p *Puller) { p.Hold = holding })
		time.Sleep(150 * time.Second)
		if n := len(u.asks()); n > 15 {
			t.Errorf("%d requests in 150 s to a server that does not hold", n)
		}
	})
}

func TestNudgeTakesTheHeldGetsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		p, _ := run(t, u, func(p *Puller) { p.Hold = holding })
		time.Sleep(2 * time.Second)
		before := len(u.asks())
		p.Nudge(Nudge{})
		synctest.Wait()
		if n := len(u.asks()); n != before+1 {
			t.Errorf("%d requests after a nudge", n-before)
		}
	})
}

func TestNudgeAheadOfARelayIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		p, kept := run(t, u, nil)
		time.Sleep(time.Second)
		p.Nudge(Nudge{Position: config.Position{Epoch: "01A", Revision: 2}})
		time.Sleep(200 * time.Millisecond) // the relay fetches it itself meanwhile
		u.commit(2)
		synctest.Wait()
		if got := kept(); len(got) != 2 {
			t.Errorf("kept %v", got)
		}
	})
}
