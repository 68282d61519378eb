package usecase_test

import (
	"errors"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

func leave(t *testing.T, f *usecase.Fleet, s config.Stopped) {
	t.Helper()
	if err := f.Stopped(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestAWorkerThatSaidGoodbyeLeavesTheList(t *testing.T) {
	r := newRegister()
	old := config.Verdict{}
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		old = verdict("w-1", config.Applied, 5)
		record(t, f, old)
		record(t, f, verdict("w-2", config.Applied, 5))
		_, changed, _ := f.Workers(t.Context(), "payments", 0)
		time.Sleep(time.Second)
		leave(t, f, config.Stopped{Worker: "w-1", Agent: "host-7", Namespace: "payments", At: time.Now()})
		if s := summary(t, f, 0); s.Workers != 1 || !closed(changed) {
			t.Errorf("%+v, waiters woken: %t", s, closed(changed))
		}
		record(t, f, old)
		if _, workers := f.Census(t.Context()); workers.Workers != 1 {
			t.Errorf("a verdict from before brought it back: %+v", workers)
		}
		time.Sleep(1100 * time.Millisecond)
		r.mu.Lock()
		kept := r.standings["w-1"]
		r.mu.Unlock()
		if !kept.Stopped() {
			t.Error("the goodbye is not kept within a second")
		}
	})
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		record(t, f, old)
		if s := summary(t, f, 0); s.Workers != 1 {
			t.Errorf("forgotten by a restart: %+v", s)
		}
		time.Sleep(time.Minute)
		record(t, f, verdict("w-1", config.Applied, 5))
		if s := summary(t, f, 0); s.Workers != 2 || s.Current != 2 {
			t.Errorf("it came back: %+v", s)
		}
		for _, namespace := range []config.Name{"payments", "nobody"} {
			err := f.Stopped(t.Context(), config.Stopped{Worker: "w-9", Namespace: namespace})
			if want := namespace == "nobody"; errors.Is(err, usecase.ErrUnbelievable) != want {
				t.Errorf("%s: %v", namespace, err)
			}
		}
		if s := summary(t, f, 0); s.Workers != 2 {
			t.Errorf("a goodbye made a worker: %+v", s)
		}
	})
}

func TestAnAgentThatSaidGoodbyeIsLostAtOnce(t *testing.T) {
	r := newRegister()
	state := func(t *testing.T, f *usecase.Fleet) domain.AgentState {
		t.Helper()
		known, err := f.Agent("host-7")
		if err != nil {
			t.Fatal(err)
		}
		return known.State
	}
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "host-7", "payments")
		held := f.Asking("host-7")
		leave(t, f, config.Stopped{Agent: "host-7", At: time.Now()})
		leave(t, f, config.Stopped{Agent: "nobody"})
		held() // the answer that it did not wait for
		if got := state(t, f); got != domain.Lost || len(f.Agents("", 0)) != 1 {
			t.Errorf("%s of %d agents", got, len(f.Agents("", 0)))
		}
	})
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		if got := state(t, f); got != domain.Lost {
			t.Errorf("forgotten by a restart: %s", got)
		}
		f.Asking("host-7")()
		if got := state(t, f); got != domain.Online {
			t.Errorf("it asks again: %s", got)
		}
		leave(t, f, config.Stopped{Agent: "host-7"})
		enrol(t, f, "host-7", "payments")
		if got := state(t, f); got != domain.Online || !r.agents["host-7"].StoppedAt.IsZero() {
			t.Errorf("it registered again: %s, %+v", got, r.agents["host-7"])
		}
	})
}
