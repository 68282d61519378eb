package sdk_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/sdk"
)

// A link is a bus that the test is in charge of.
type link struct {
	mu        sync.Mutex
	healthy   bool
	deaf      bool
	verdicts  []config.Verdict
	listening []string // the agents that are listened to now
	nudge     func(pull.Nudge)
}

func (l *link) Listen(ctx context.Context, agent string, nudge func(pull.Nudge)) {
	l.mu.Lock()
	l.listening, l.nudge = append(l.listening, agent), nudge
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listening = l.listening[1:]
}

func (l *link) Healthy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.healthy
}

func (l *link) Tell(_ context.Context, v config.Verdict) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deaf {
		return errors.New("publish: timeout")
	}
	l.verdicts = append(l.verdicts, v)
	return nil
}

func (l *link) told() []config.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]config.Verdict(nil), l.verdicts...)
}

// agents are those that are listened to now.
func (l *link) agents() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.listening, " ")
}

// ring nudges as a notification does.
func (l *link) ring(n pull.Nudge) {
	l.mu.Lock()
	nudge := l.nudge
	l.mu.Unlock()
	nudge(n)
}

func (l *link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func TestLinkBringsNudgesAndTakesVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := newAgent(), &link{healthy: true}
		a.limits(1, `{"rps":1}`)
		w := watch(t, a, sdk.Options[Limits]{Link: l})
		time.Sleep(time.Second)
		if l.agents() != "host-7" {
			t.Fatalf("listens to %q", l.agents())
		}
		a.limits(2, `{"rps":2}`)
		time.Sleep(100 * time.Millisecond)
		if w.Load().RPS != 1 {
			t.Error("the change came without a nudge: requests are held although the link is healthy")
		}
		l.ring(pull.Nudge{Position: config.Position{Epoch: "E1", Revision: 2}})
		time.Sleep(100 * time.Millisecond)
		if w.Load().RPS != 2 {
			t.Error("a nudge brought nothing")
		}
		told := l.told()
		if len(told) != 2 || told[1].Revision != 2 || told[1].Agent != "host-7" || len(a.told()) != 0 {
			t.Errorf("over the link %+v, by HTTP %+v: want both verdicts over the link", told, a.told())
		}
		for _, p := range a.asked()[:1] {
			if p.prefer != "" {
				t.Errorf("a request was held: %+v", p)
			}
		}
		time.Sleep(time.Minute)
		if len(l.told()) != 2 || len(a.told()) < 3 {
			t.Errorf("a minute later %d over the link, %d by HTTP: signs of life go by HTTP", len(l.told()), len(a.told()))
		}
	})
}

// An agent that has nothing of a namespace does not say who it is.
func TestFirstConfigOfAllComesAtOnceOverAHealthyLinkToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := newAgent(), &link{healthy: true}
		w := watch(t, a, sdk.Options[Limits]{Link: l})
		time.Sleep(time.Minute)
		a.limits(1, `{"rps":1}`)
		time.Sleep(100 * time.Millisecond)
		if w.Load().RPS != 1 || l.agents() != "host-7" {
			t.Errorf("runs on %+v, listens to %q", w.Load(), l.agents())
		}
	})
}

func TestUnhealthyLinkHoldsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := newAgent(), &link{}
		a.limits(1, `{"rps":1}`)
		w := watch(t, a, sdk.Options[Limits]{Link: l})
		time.Sleep(time.Second)
		a.limits(2, `{"rps":2}`)
		time.Sleep(100 * time.Millisecond)
		if w.Load().RPS != 2 {
			t.Error("without notifications the change did not come at once")
		}
		if len(l.told()) != 0 || a.last(t).Revision != 2 {
			t.Errorf("verdicts over the link %+v, by HTTP %+v", l.told(), a.told())
		}
	})
}

func TestLinkThatFailsLeavesTheVerdictToHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := newAgent(), &link{healthy: true, deaf: true}
		a.limits(1, `{"rps":1}`)
		watch(t, a, sdk.Options[Limits]{Link: l})
		time.Sleep(time.Second)
		if v := a.last(t); v.Revision != 1 {
			t.Errorf("verdict %+v", v)
		}
	})
}

func TestAnotherAgentIsListenedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := newAgent(), &link{healthy: true}
		a.limits(1, `{"rps":1}`)
		w := watch(t, a, sdk.Options[Limits]{Link: l})
		time.Sleep(time.Second)
		a.set(func() { a.id = "host-8" })
		time.Sleep(time.Minute)
		if l.agents() != "host-8" {
			t.Errorf("listens to %q", l.agents())
		}
		if v := a.last(t); v.Agent != "host-8" || w.Status().Agent.ID != "host-8" {
			t.Errorf("verdict %+v, status %+v", v, w.Status().Agent)
		}
		_ = w.Close()
		if l.agents() != "" {
			t.Errorf("listens to %q after Close", l.agents())
		}
	})
}

// While its agent is away, a worker is still seen over the bus.
func TestSignsOfLifeGoOverTheLinkWhileTheAgentIsAway(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, l := newAgent(), &link{healthy: true}
		a.limits(1, `{"rps":1}`)
		first := watch(t, a, sdk.Options[Limits]{Link: l, StateDir: folder})
		time.Sleep(time.Second)
		_ = first.Close()
		l.set(func() { l.verdicts = nil })
		a.set(func() { a.away = errors.New("connection refused") })
		watch(t, a, sdk.Options[Limits]{Link: l, StateDir: folder})
		time.Sleep(6 * time.Second)
		if n := len(l.told()); n != 1 {
			t.Errorf("told %d times once the agent did not introduce itself", n)
		}
		time.Sleep(time.Minute)
		if n := len(l.told()); n < 4 || n > 7 {
			t.Errorf("told %d times in a minute, with an interval of 15 s", n)
		}
	})
}

func TestVerdictIsToldUntilHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.deaf = &pull.Refusal{Status: 503}
		a.limits(1, `{"rps":1}`)
		watch(t, a, sdk.Options[Limits]{})
		time.Sleep(10 * time.Minute)
		n := len(a.told())
		if n < 20 || n > 200 {
			t.Errorf("told %d times in ten minutes: want a backoff of at most 30 s", n)
		}
		a.set(func() { a.deaf = nil })
		time.Sleep(31 * time.Second)
		heard := len(a.told())
		if heard <= n {
			t.Error("not told again within the longest backoff")
		}
	})
}

func TestRetryAfterOfAReportIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.deaf = &pull.Refusal{Status: 429, RetryAfter: 40 * time.Second}
		a.limits(1, `{"rps":1}`)
		watch(t, a, sdk.Options[Limits]{})
		time.Sleep(39 * time.Second)
		if n := len(a.told()); n != 1 {
			t.Errorf("told %d times before Retry-After was over", n)
		}
	})
}

func TestSignsOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":1}`)
		watch(t, a, sdk.Options[Limits]{})
		time.Sleep(10 * time.Minute)
		told := a.told()
		if len(told) < 34 || len(told) > 50 {
			t.Errorf("told %d times in ten minutes, want about 40", len(told))
		}
		for i := 1; i < len(told); i++ {
			gap := told[i].heard.Sub(told[i-1].heard)
			if gap < 12*time.Second || gap > 18*time.Second {
				t.Errorf("gap of %v, want 15 s ±20 %%", gap)
			}
			if told[i].Verdict != told[0].Verdict {
				t.Errorf("a sign of life says something else: %+v", told[i].Verdict)
			}
		}
	})
}

func TestGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":1}`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		stopped := time.Now()
		_ = w.Close()
		if len(a.goodbyes) != 1 || len(a.told()) != 1 {
			t.Fatalf("goodbyes %+v, told %+v", a.goodbyes, a.told())
		}
		g := a.goodbyes[0]
		if g.Worker != "w-1" || g.Agent != "host-7" || g.Namespace != "payments" || !g.At.Equal(stopped) || g.Check() != nil {
			t.Errorf("%+v", g)
		}
	})
}

// A worker that ran on nothing says why, and stays where the operator looks.
func TestWhoNeverRanSaysNoGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `"no"`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		_ = w.Close()
		if len(a.goodbyes) != 0 || a.last(t).Status != config.Rejected {
			t.Errorf("goodbyes %+v, told %+v", a.goodbyes, a.told())
		}
	})
}

// One that crashed is to be missed.
func TestAbandonSaysNoGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":1}`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		_ = w.Abandon()
		if v := a.last(t); len(a.goodbyes) != 0 || v.Status != config.Applied {
			t.Errorf("goodbyes %+v, told %+v", a.goodbyes, v)
		}
	})
}

// hung is an agent that takes a request, and never answers.
type hung struct{}

func (hung) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestGoodbyeDoesNotHoldUpTheStop(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":1}`)
		first := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Second)
		_ = first.Close()

		w, err := sdk.Watch(t.Context(), "payments/limits", sdk.Options[Limits]{
			Agent: "http://agent.test", StateDir: folder, HTTP: &http.Client{Transport: hung{}}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		began := time.Now()
		_ = w.Close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the stop took %s", took)
		}
	})
}

// A worker that starts from its last good is in the fleet before it has pulled, which
// it does at a random time, so that no fleet arrives at once.
func TestARestartTellsAtOnce(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, l := newAgent(), &link{healthy: true}
		a.limits(1, `{"rps":1}`)
		first := watch(t, a, sdk.Options[Limits]{StateDir: folder, Link: l})
		time.Sleep(time.Second)
		_ = first.Close()
		a.set(func() { a.reports, a.pulls = nil, nil })
		watch(t, a, sdk.Options[Limits]{StateDir: folder, Link: l})
		synctest.Wait()
		if v := a.last(t); v.Revision != 1 || v.Status != config.Applied || len(a.asked()) != 0 {
			t.Errorf("told %+v after %d pulls", v, len(a.asked()))
		}
	})
}

// Whether the last verdict was heard is nothing that a restart relies on: it tells
// what it runs on, and tries what it refused once more.
func TestARestartTellsAnew(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.deaf = &pull.Refusal{Status: 503}
		a.limits(1, `{"rps":1}`)
		first := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Second)
		a.limits(2, `"no"`)
		time.Sleep(time.Minute)
		_ = first.Close()
		a.set(func() { a.deaf, a.reports = nil, nil })

		watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Minute)
		if v := a.last(t); v.Revision != 2 || v.Status != config.Rejected || v.Code == "" {
			t.Errorf("told %+v", v)
		}
		if n := len(a.told()); n < 3 {
			t.Errorf("told %d times in a minute after the restart", n)
		}
	})
}
