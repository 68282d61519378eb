package pull

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

func TestBackoffIsDeafToNudges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		p, kept := run(t, u, nil)
		time.Sleep(time.Second)
		u.fail(&Refusal{Status: http.StatusServiceUnavailable, RetryAfter: 20 * time.Second})
		p.Nudge(Nudge{})
		time.Sleep(time.Second)
		before := len(u.asks())
		u.fail(nil)
		u.commit(2)
		for range 18 {
			p.Nudge(Nudge{Position: config.Position{Epoch: "01A", Revision: 2}})
			time.Sleep(time.Second)
		}
		if n := len(u.asks()); n != before {
			t.Fatalf("%d pulls before Retry-After", n-before)
		}
		time.Sleep(31 * time.Second)
		if got := kept(); got[len(got)-1] != 2 {
			t.Errorf("kept %v", got)
		}
	})
}

func TestBackoffIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		u.fail(errors.New("connection refused"))
		run(t, u, nil)
		time.Sleep(30 * time.Minute)
		asked := u.asks()
		if n := len(asked); n < 60 || n > 260 {
			t.Errorf("%d pulls in half an hour of outage, about 120 are expected", n)
		}
		for i := 1; i < len(asked); i++ {
			if gap := asked[i].at.Sub(asked[i-1].at); gap > 30*time.Second {
				t.Errorf("a pause of %s, twice the interval is the most", gap)
			}
		}
	})
}

func TestBackoffBounds(t *testing.T) {
	for _, c := range []struct {
		n        int
		interval time.Duration
		most     time.Duration
	}{
		{0, 15 * time.Second, 500 * time.Millisecond},
		{3, 15 * time.Second, 4 * time.Second},
		{50, 15 * time.Second, 30 * time.Second},
		{50, time.Second, 5 * time.Second},
		{50, time.Hour, time.Minute},
	} {
		longest := time.Duration(0)
		for range 2000 {
			longest = max(longest, Backoff(c.n, c.interval))
		}
		if longest > c.most || longest < c.most*9/10 {
			t.Errorf("Backoff(%d, %s) came to %s, want up to %s", c.n, c.interval, longest, c.most)
		}
	}
}

func TestNotWrittenYetIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(0)
		u.fail(ErrNotFound)
		_, kept := run(t, u, nil)
		time.Sleep(60 * time.Second)
		if n := len(u.asks()); n < 4 || n > 7 {
			t.Errorf("%d pulls in 60 s of 404", n)
		}
		u.fail(nil)
		u.commit(1)
		time.Sleep(19 * time.Second)
		if got := kept(); len(got) != 1 {
			t.Errorf("kept %v", got)
		}
	})
}

func TestUnexpected404BacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		var failed int
		var mu sync.Mutex
		run(t, u, func(p *Puller) {
			p.Observe = func(_ Answer, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed++
				}
			}
		})
		time.Sleep(time.Second)
		u.fail(ErrNotFound)
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if failed == 0 {
			t.Error("a 404 for what is held passed as an answer")
		}
	})
}

func TestRefusedBodyIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		var refused atomic.Int32
		run(t, u, func(p *Puller) {
			p.Keep = func(context.Context, Answer) error { refused.Add(1); return config.ErrOlder }
		})
		time.Sleep(time.Minute)
		for _, a := range u.asks() {
			if a.q.Have != "" {
				t.Fatal("the ETag of a refused body was sent")
			}
		}
		if n := refused.Load(); n < 2 {
			t.Errorf("refused %d times", n)
		}
	})
}

func TestIntervalIsToldAndOwnGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told, own := newUpstream(1), newUpstream(1)
		told.interval, own.interval = 2*time.Second, time.Hour
		run(t, told, nil)
		run(t, own, func(p *Puller) { p.Interval = 2 * time.Second })
		time.Sleep(time.Minute)
		for _, u := range []*upstream{told, own} {
			if n := len(u.asks()); n < 25 || n > 40 {
				t.Errorf("%d pulls in a minute at an interval of 2 s", n)
			}
		}
	})
}

func TestPullerWithACacheDoesNotRush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(7)
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		for range 50 {
			p := &Puller{Namespace: "payments", Fetch: u.Fetch, Keep: func(context.Context, Answer) error { return nil }}
			wg.Go(func() { p.Run(ctx, snapshotAt(6)) })
		}
		time.Sleep(1500 * time.Millisecond)
		cancel()
		wg.Wait()
		late := 0
		for _, a := range u.asks() {
			if a.at.Sub(began) > 300*time.Millisecond {
				late++
			}
			if a.q.Have != snapshotAt(6).ETag {
				t.Error("a pull without the ETag of the cache")
			}
		}
		if late < 15 {
			t.Errorf("%d of 50 waited a while before their first pull", late)
		}
	})
}
