package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/pull"
)

// An address is what answers there: a pull.Handler, or what the test puts in its
// place. It is asked without a socket, so that the time is the test's.
type address struct {
	mu       sync.Mutex
	snapshot *config.Snapshot
	changed  chan struct{}
	agent    string   // "" for a controller
	via      []string // what came through whom
	stale    bool
	fails    error         // it does not answer
	after    time.Duration // for as long
	status   int           // it answers this instead
	retry    string        // with that Retry-After
	asked    []time.Time
	held     []string // what each asked for
}

func (a *address) Latest(context.Context, config.Name) (*config.Snapshot, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.snapshot == nil {
		return nil, a.changed, pull.ErrNotFound
	}
	return a.snapshot, a.changed, nil
}

func (a *address) set(change func(*address)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *address) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

func (a *address) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.asked, a.held = append(a.asked, time.Now()), append(a.held, r.Header.Get("Prefer"))
	fails, after, status, retry := a.fails, a.after, a.status, a.retry
	a.mu.Unlock()
	if fails != nil {
		time.Sleep(after)
		return nil, fails
	}
	h := pull.NewHandler(a)
	h.Decorate = func(out http.Header, _ *http.Request, _ config.Name) {
		a.mu.Lock()
		defer a.mu.Unlock()
		pull.SetInterval(out, 10*time.Second)
		if a.agent != "" {
			pull.SetAgent(out, a.agent)
			pull.SetVia(out, append(a.via, a.agent))
			pull.SetAge(out, 0, a.stale)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/namespaces/{ns}/snapshot", httpapi.Handle([]httpapi.Status{{Err: pull.ErrNotFound, Status: 404, Problem: "not_found"}}, func(w http.ResponseWriter, r *http.Request) error {
		if status != 0 {
			p := httpapi.NewProblem(status, "unavailable", "as the test has it")
			if retry != "" {
				p.RetryAfter, _ = time.ParseDuration(retry)
			}
			return p
		}
		return h.ServeSnapshot(w, r)
	}))
	return answerOf(mux, r)
}

func snapshotAt(revision config.Revision) *config.Snapshot {
	return config.Seal("payments", config.Position{Epoch: "01A", Revision: revision}, []config.Entry{{
		Name: "limits", Revision: revision, Document: config.Document{MediaType: "application/json", Body: fmt.Appendf(nil, "%d", revision)},
	}}, nil)
}

// upstreams runs a test with addresses named http://a, http://b …
func upstreams(t *testing.T, n int, test func(t *testing.T, u *Upstream, at []*address)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var names []string
		var at []*address
		for i := range n {
			names = append(names, "http://"+string(rune('a'+i)))
			at = append(at, &address{changed: make(chan struct{})})
		}
		u := NewUpstream(Options{Addresses: names, ID: "host-7"})
		u.http.Transport = byHost(func(host string) http.RoundTripper { return at[host[0]-'a'] })
		test(t, u, at)
	})
}

func request(wait time.Duration, have *config.Snapshot) pull.Request {
	q := pull.Request{Namespace: "payments", Wait: wait}
	if have != nil {
		q.Have, q.At = have.ETag, have.Position
	}
	return q
}

var errDead = errors.New("no route to host")

func TestADeadFirstAddressCostsTheSecondLittle(t *testing.T) {
	upstreams(t, 2, func(t *testing.T, u *Upstream, at []*address) {
		at[0].fails, at[0].after = errDead, 3*time.Second
		at[1].snapshot = snapshotAt(1)
		began, pulls := time.Now(), 200
		for range pulls {
			if a, _, err := u.fetch(t.Context(), request(0, nil)); err != nil || a.Snapshot == nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		lost := time.Since(began) - time.Duration(pulls)*time.Second
		if asked := at[0].count(); asked < 8 || asked > 25 || lost > 75*time.Second {
			t.Errorf("it was asked %d times, which cost %s of 200 pulls", asked, lost)
		}
		s := u.States()
		if s[0].Circuit == domain.Closed || s[0].OK || s[0].RetryAt.IsZero() || s[0].LastError == "" || s[1].Circuit != domain.Closed || !s[1].OK || !u.State().OK || u.State().URL != "http://b" {
			t.Errorf("%+v, %+v", s, u.State())
		}
		// It is gone back to once it answers.
		at[0].set(func(a *address) { a.fails, a.snapshot = nil, snapshotAt(1) })
		time.Sleep(31 * time.Second)
		second := at[1].count()
		for range 5 {
			if _, _, err := u.fetch(t.Context(), request(0, nil)); err != nil {
				t.Fatal(err)
			}
		}
		if at[1].count() != second || u.States()[0].Circuit != domain.Closed {
			t.Errorf("the second is still asked: %+v", u.States())
		}
	})
}

func TestManyPullersProbeOnce(t *testing.T) {
	upstreams(t, 2, func(t *testing.T, u *Upstream, at []*address) {
		at[0].fails, at[1].snapshot = errDead, snapshotAt(1)
		for range 2 {
			_, _, _ = u.fetch(t.Context(), request(0, nil))
		}
		at[0].set(func(a *address) { a.after = 3 * time.Second })
		before := at[0].count()
		time.Sleep(2 * time.Second)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { _, _, _ = u.fetch(t.Context(), request(0, nil)) })
		}
		all.Wait()
		if probes := at[0].count() - before; probes != 1 {
			t.Errorf("%d probes", probes)
		}
	})
}

func TestAHeldRequestDoesNotKeepAnAgentAtTheSecond(t *testing.T) {
	upstreams(t, 2, func(t *testing.T, u *Upstream, at []*address) {
		held := snapshotAt(1)
		at[0].fails, at[1].snapshot = errDead, held
		for range 2 {
			_, _, _ = u.fetch(t.Context(), request(0, held))
		}
		at[0].set(func(a *address) { a.fails, a.snapshot = nil, held })
		began := time.Now()
		time.AfterFunc(10*time.Second, func() { at[0].set(func(a *address) { a.snapshot = snapshotAt(2) }) })
		a, from, err := u.fetch(t.Context(), request(time.Minute, held))
		if err != nil || a.Snapshot == nil || a.Snapshot.Revision != 2 || from.client.Base != "http://a" {
			t.Fatalf("%+v, %v", a, err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("the first had it after 10 s, it came after %s", took)
		}
		// Of the whole time nothing is lost, and nothing is added.
		began = time.Now()
		if a, _, err := u.fetch(t.Context(), request(time.Minute, a.Snapshot)); err != nil || a.Snapshot != nil || time.Since(began) != time.Minute {
			t.Errorf("unchanged after %s: %v", time.Since(began), err)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for _, status := range []int{429, 503} {
		upstreams(t, 2, func(t *testing.T, u *Upstream, at []*address) {
			at[0].status, at[0].retry, at[1].snapshot = status, "50s", snapshotAt(1)
			for range 49 {
				if a, _, err := u.fetch(t.Context(), request(0, nil)); err != nil || a.Snapshot == nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			if at[0].count() != 1 {
				t.Errorf("%d: asked %d times within its Retry-After", status, at[0].count())
			}
			time.Sleep(2 * time.Second)
			_, _, _ = u.fetch(t.Context(), request(0, nil))
			if at[0].count() != 2 {
				t.Errorf("%d: asked %d times after its Retry-After", status, at[0].count())
			}
		})
	}
	upstreams(t, 1, func(t *testing.T, u *Upstream, at []*address) {
		at[0].status, at[0].retry = 429, "50s"
		for range 3 {
			_, _, err := u.fetch(t.Context(), request(0, nil))
			if refusal, ok := errors.AsType[*pull.Refusal](err); !ok || refusal.RetryAfter < 48*time.Second {
				t.Errorf("%v", err)
			}
			time.Sleep(time.Second)
		}
		if at[0].count() != 1 {
			t.Errorf("the only one was asked %d times", at[0].count())
		}
	})
}

func TestWhatIsBehindIsPassedOver(t *testing.T) {
	upstreams(t, 2, func(t *testing.T, u *Upstream, at []*address) {
		held := snapshotAt(5)
		at[0].snapshot, at[1].snapshot = snapshotAt(4), held
		for range 100 {
			if a, _, err := u.fetch(t.Context(), request(0, held)); err != nil || a.Snapshot != nil {
				t.Fatalf("%+v, %v", a.Snapshot, err)
			}
			time.Sleep(time.Second)
		}
		if asked := at[0].count(); asked > 12 {
			t.Errorf("what is behind was asked %d times in 100 s", asked)
		}
		if s := u.States(); s[0].Circuit != domain.Closed || s[0].Behind != 1 || s[1].Behind != 0 {
			t.Errorf("to be behind is no failure: %+v", s)
		}
		// Other namespaces are not concerned, and what has caught up is preferred again.
		at[0].set(func(a *address) { a.snapshot = snapshotAt(6) })
		time.Sleep(31 * time.Second)
		a, from, err := u.fetch(t.Context(), request(0, held))
		if err != nil || a.Snapshot == nil || a.Snapshot.Revision != 6 || from.client.Base != "http://a" || u.States()[0].Behind != 0 {
			t.Errorf("%+v, %v, %+v", a, err, u.States())
		}
		// Where nobody has better, what is older is handed on to be refused.
		at[0].set(func(a *address) { a.fails = errDead })
		for range 5 {
			a, _, err := u.fetch(t.Context(), request(0, snapshotAt(6)))
			if err == nil && a.Snapshot != nil && a.Snapshot.Revision == 5 {
				return
			}
		}
		t.Error("nobody says that the second is behind")
	})
}

func TestWhatCannotConfirmIsPassedOver(t *testing.T) {
	upstreams(t, 2, func(t *testing.T, u *Upstream, at []*address) {
		held := snapshotAt(5)
		at[0].agent, at[0].stale, at[0].snapshot, at[1].snapshot = "middle", true, held, held
		a, from, err := u.fetch(t.Context(), request(0, held))
		if err != nil || a.Stale || from.client.Base != "http://b" {
			t.Errorf("from %s: %+v, %v", from.client.Base, a, err)
		}
		at[1].set(func(a *address) { a.fails = errDead })
		for range 4 { // until both are given up
			a, _, err = u.fetch(t.Context(), request(0, held))
		}
		if err != nil || !a.Stale {
			t.Errorf("what a relay has that is cut off is better than nothing: %+v, %v", a, err)
		}
	})
}

func TestALoopIsRefusedAndLeftAlone(t *testing.T) {
	upstreams(t, 2, func(t *testing.T, u *Upstream, at []*address) {
		at[0].agent, at[0].via, at[0].snapshot, at[1].snapshot = "host-9", []string{"host-7"}, snapshotAt(9), snapshotAt(1)
		for range 100 {
			a, from, err := u.fetch(t.Context(), request(0, nil))
			if err != nil || a.Snapshot == nil || a.Snapshot.Revision != 1 || from.client.Base != "http://b" {
				t.Fatalf("%+v, %v", a, err)
			}
			time.Sleep(time.Second)
		}
		s := u.States()[0]
		if at[0].count() > 12 || s.Circuit == domain.Closed || !strings.Contains(s.LastError, "loop") {
			t.Errorf("asked %d times: %+v", at[0].count(), s)
		}
	})
	upstreams(t, 1, func(t *testing.T, u *Upstream, at []*address) {
		at[0].agent, at[0].via, at[0].snapshot = "host-9", []string{"host-7"}, snapshotAt(9)
		if a, _, err := u.fetch(t.Context(), request(0, nil)); !errors.Is(err, domain.ErrLoop) || a.Snapshot != nil || len(a.Via) != 2 {
			t.Errorf("the only one: %+v, %v", a, err)
		}
	})
}

// TestARelayThatHasNothingYetIsNotDown: its 503 is of one namespace.
func TestARelayThatHasNothingYetIsNotDown(t *testing.T) {
	upstreams(t, 1, func(t *testing.T, u *Upstream, _ []*address) {
		u.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return answerOf(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				pull.SetAgent(w.Header(), "middle")
				p := httpapi.NewProblem(503, "unavailable", "not fetched yet")
				p.RetryAfter = time.Second
				httpapi.WriteProblem(w, p)
			}), r)
		})
		for range 5 {
			_, _, _ = u.fetch(t.Context(), request(0, nil))
			time.Sleep(1100 * time.Millisecond)
		}
		if s := u.States()[0]; s.Circuit != domain.Closed || s.Agent != "middle" || s.Behind != 1 {
			t.Errorf("%+v", s)
		}
		if agents, _ := u.Above(); len(agents) != 1 || agents[0] != "middle" {
			t.Errorf("above: %v", agents)
		}
	})
}
