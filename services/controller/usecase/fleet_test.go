package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

const interval = 15 * time.Second

// A register keeps the fleet in memory and counts how often.
type register struct {
	mu        sync.Mutex
	agents    map[string]domain.Agent
	standings map[string]domain.Standing
	saves     int
	most      int // standings saved at once
	at        time.Time
	rested    time.Duration // the shortest time between two saves
	fail      error
}

func newRegister() *register {
	return &register{agents: map[string]domain.Agent{}, standings: map[string]domain.Standing{}}
}

func (r *register) Load(context.Context) (agents []domain.Agent, standings []domain.Standing, err error) {
	for _, a := range r.agents {
		agents = append(agents, a)
	}
	for _, s := range r.standings {
		standings = append(standings, s)
	}
	return agents, standings, r.fail
}

func (r *register) Save(_ context.Context, agents []domain.Agent, standings []domain.Standing, _ ...domain.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	if rested := time.Since(r.at); r.saves == 1 || rested < r.rested {
		r.rested = rested
	}
	r.at = time.Now()
	r.saves++
	r.most = max(r.most, len(standings))
	for _, a := range agents {
		r.agents[a.ID] = a
	}
	for _, s := range standings {
		r.standings[s.Worker] = s
	}
	return nil
}

func (r *register) Forget(_ context.Context, since time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, a := range r.agents {
		if a.LastSeen.Before(since) {
			delete(r.agents, id)
		}
	}
	return nil
}

func (r *register) set(fail error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

func (r *register) agent(id string) domain.Agent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.agents[id]
}

func (r *register) kept() (agents, standings int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.agents), len(r.standings)
}

func (r *register) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.saves
}

// written says that payments stands at revision 5 and nothing else is there.
type written struct{}

func (written) Position(_ context.Context, namespace config.Name) (config.Position, error) {
	if namespace != "payments" {
		return config.Position{}, domain.ErrNotFound
	}
	return config.Position{Epoch: "01E", Revision: 5}, nil
}

// withFleet runs a fleet in a synctest bubble.
func withFleet(t *testing.T, r *register, test func(t *testing.T, f *usecase.Fleet, stop func())) {
	synctest.Test(t, func(t *testing.T) {
		f, err := usecase.NewFleet(t.Context(), r, written{}, interval, quiet)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { f.Run(ctx) })
		stop := func() { cancel(); group.Wait() }
		defer stop()
		test(t, f, stop)
	})
}

func verdict(worker string, status config.Status, revision config.Revision) config.Verdict {
	return config.Verdict{Worker: worker, Agent: "host-7", Namespace: "payments", Epoch: "01E", Revision: revision, Status: status, Code: "decode", At: time.Now()}
}

func record(t *testing.T, f *usecase.Fleet, v config.Verdict) {
	t.Helper()
	if err := f.Record(t.Context(), v); err != nil {
		t.Fatal(err)
	}
}

func enrol(t *testing.T, f *usecase.Fleet, id string, namespaces ...config.Name) {
	t.Helper()
	if _, err := f.Registered(t.Context(), domain.Registration{ID: id, Namespaces: namespaces}); err != nil {
		t.Fatal(err)
	}
}

func summary(t *testing.T, f *usecase.Fleet, revision config.Revision) usecase.Summary {
	t.Helper()
	view, _, err := f.Workers(t.Context(), "payments", revision)
	if err != nil {
		t.Fatal(err)
	}
	return view.Summary
}

func TestFleetCountsWorkers(t *testing.T) {
	withFleet(t, newRegister(), func(t *testing.T, f *usecase.Fleet, _ func()) {
		if s := summary(t, f, 0); !s.Settled() || s.Workers != 0 {
			t.Errorf("%+v", s)
		}
		record(t, f, verdict("w-1", config.Applied, 5))
		record(t, f, verdict("w-2", config.Applied, 4))
		record(t, f, verdict("w-3", config.Applied, 4))
		record(t, f, verdict("w-3", config.Rejected, 5))
		if s := summary(t, f, 0); s != (usecase.Summary{Workers: 3, Current: 1, Behind: 1, Rejected: 1}) || s.Settled() {
			t.Errorf("%+v", s)
		}
		if s := summary(t, f, 4); s.Current != 3 || !s.Settled() {
			t.Errorf("at 4: %+v", s)
		}
		time.Sleep(5*interval + time.Second)
		if s := summary(t, f, 0); s.Lost != 3 || !s.Settled() {
			t.Errorf("nobody was heard from: %+v", s)
		}
		record(t, f, verdict("w-1", config.Applied, 5))
		if s := summary(t, f, 0); s.Lost != 2 || s.Current != 1 {
			t.Errorf("one is heard from again: %+v", s)
		}
		if _, _, err := f.Workers(t.Context(), "payments", 6); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("a revision that there is not: %v", err)
		}
		if _, _, err := f.Workers(t.Context(), "nobody", 0); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("a namespace that there is not: %v", err)
		}
	})
}

// TestSignsOfLifeCostNoWrites: an hour of polls and repeated verdicts is kept
// about once a minute, not once each.
func TestSignsOfLifeCostNoWrites(t *testing.T) {
	r := newRegister()
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, stop func()) {
		enrol(t, f, "host-7", "payments")
		v := verdict("w-1", config.Applied, 5)
		record(t, f, v)
		time.Sleep(2 * time.Second)
		before := r.count()
		for range 240 {
			time.Sleep(interval)
			record(t, f, v)
			f.Asking("host-7")()
		}
		if saves := r.count() - before; saves > 65 {
			t.Errorf("%d writes in an hour", saves)
		}
		seen := time.Now()
		stop()
		if !r.standings["w-1"].LastSeen.Equal(seen) || !r.agents["host-7"].LastSeen.Equal(seen) {
			t.Error("the stop did not keep when they were last seen")
		}
	})
}

func TestNewsIsKeptWithinASecond(t *testing.T) {
	r := newRegister()
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		for i := range 100 {
			record(t, f, verdict(fmt.Sprintf("w-%d", i), config.Applied, 5))
		}
		time.Sleep(1100 * time.Millisecond)
		if _, standings := r.kept(); r.count() != 1 || standings != 100 {
			t.Errorf("%d writes of %d standings", r.count(), standings)
		}
	})
}

// TestAFloodIsKeptInPieces: between two of them a commit has its turn.
func TestAFloodIsKeptInPieces(t *testing.T) {
	r := newRegister()
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		for i := range 10_000 {
			record(t, f, verdict(fmt.Sprintf("w-%d", i), config.Applied, 5))
		}
		time.Sleep(1800 * time.Millisecond)
		if _, standings := r.kept(); standings != 10_000 || r.count() != 40 || r.most != 250 || r.rested < 5*time.Millisecond {
			t.Errorf("%d standings in %d pieces of at most %d, %s between two", standings, r.count(), r.most, r.rested)
		}
		for second := range 10 { // all say something new each second, half of which is kept
			time.Sleep(time.Second)
			for i := range 10_000 {
				record(t, f, verdict(fmt.Sprintf("w-%d", i), []config.Status{config.Rejected, config.Applied}[second%2], 5))
			}
		}
		if pieces := r.count() - 40; pieces < 4*40 || pieces > 6*40 {
			t.Errorf("%d pieces in ten seconds", pieces)
		}
		time.Sleep(3 * time.Second)
		before := r.count()
		for i := range 10_000 {
			record(t, f, verdict(fmt.Sprintf("w-%d", i), config.Applied, 5))
		}
		time.Sleep(3 * time.Second)
		if r.count() != before {
			t.Errorf("%d pieces of what was known", r.count()-before)
		}
	})
}

func TestFailedKeepingIsRepeated(t *testing.T) {
	r := newRegister()
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		r.set(usecase.ErrUnavailable)
		record(t, f, verdict("w-1", config.Applied, 5))
		if _, err := f.Registered(t.Context(), domain.Registration{ID: "host-7"}); !errors.Is(err, usecase.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		time.Sleep(3 * time.Second)
		r.set(nil)
		time.Sleep(2 * time.Second)
		if agents, standings := r.kept(); standings != 1 || agents != 1 {
			t.Errorf("kept %d standings, %d agents", standings, agents)
		}
	})
}

func TestUnbelievableReports(t *testing.T) {
	withFleet(t, newRegister(), func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "host-7")
		future, restored, elsewhere := verdict("w-1", config.Applied, 6), verdict("w-1", config.Applied, 5), verdict("w-1", config.Applied, 5)
		restored.Epoch, elsewhere.Namespace = "01Z", "nobody"
		for _, v := range []config.Verdict{future, restored, elsewhere} {
			if err := f.Record(t.Context(), v); !errors.Is(err, usecase.ErrUnbelievable) {
				t.Errorf("%+v: %v", v, err)
			}
			fetched := config.Fetched{Agent: "host-7", Namespace: v.Namespace, Revision: v.Revision, Epoch: v.Epoch}
			if err := f.Fetched(t.Context(), fetched); !errors.Is(err, usecase.ErrUnbelievable) {
				t.Errorf("%+v: %v", fetched, err)
			}
		}
		if s := summary(t, f, 0); s.Workers != 0 {
			t.Errorf("%+v", s)
		}
		bare := verdict("w-1", config.Applied, 5)
		bare.Epoch, bare.Message = "", strings.Repeat("ä", 2000)
		record(t, f, bare)
		if s := summary(t, f, 0); s.Current != 1 {
			t.Errorf("a verdict without an epoch is of the present one: %+v", s)
		}
	})
}

func TestLongMessagesAreCutAtARune(t *testing.T) {
	withFleet(t, newRegister(), func(t *testing.T, f *usecase.Fleet, _ func()) {
		v := verdict("w-1", config.Rejected, 5)
		v.Message = "x" + strings.Repeat("ä", 2000)
		record(t, f, v)
		view, _, err := f.Workers(t.Context(), "payments", 0)
		if err != nil {
			t.Fatal(err)
		}
		message := view.Workers[0].LastRejected.Message
		if len(message) != 1023 || !strings.HasSuffix(message, "ä") {
			t.Errorf("%d bytes: …%q", len(message), message[len(message)-3:])
		}
	})
}

func TestWaitersAreWokenByNewsAlone(t *testing.T) {
	withFleet(t, newRegister(), func(t *testing.T, f *usecase.Fleet, _ func()) {
		v := verdict("w-1", config.Applied, 4)
		record(t, f, v)
		_, changed, _ := f.Workers(t.Context(), "payments", 0)
		record(t, f, v)
		if closed(changed) {
			t.Error("woken by a verdict that was known")
		}
		record(t, f, verdict("w-1", config.Applied, 5))
		if !closed(changed) {
			t.Error("not woken by a new verdict")
		}
	})
}
