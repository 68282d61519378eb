package usecase_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

func TestFleetAfterARestart(t *testing.T) {
	r := newRegister()
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "host-7", "payments")
		record(t, f, verdict("w-1", config.Applied, 5))
	})
	a := r.agents["host-7"]
	a.LastSeen = a.LastSeen.Add(-time.Hour)
	r.agents["host-7"] = a
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		if s := summary(t, f, 0); s.Current != 1 {
			t.Errorf("%+v", s)
		}
		if known, err := f.Agent("host-7"); err != nil || known.State != domain.Online {
			t.Errorf("nobody missed a poll of a controller that did not run: %+v, %v", known, err)
		}
		time.Sleep(3 * interval)
		if known, _ := f.Agent("host-7"); known.State != domain.Late {
			t.Errorf("%+v", known)
		}
	})
}

func TestAgents(t *testing.T) {
	withFleet(t, newRegister(), func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "b", "payments")
		enrol(t, f, "a", "web")
		if views := f.Agents("", 0); len(views) != 2 || views[0].ID != "a" || views[0].Interval != interval {
			t.Errorf("%+v", views)
		}
		if views := f.Agents("a", 5); len(views) != 1 || views[0].ID != "b" {
			t.Errorf("%+v", views)
		}
		if views := f.Agents("", 1); len(views) != 1 {
			t.Errorf("%+v", views)
		}
		if _, err := f.Agent("nobody"); !errors.Is(err, domain.ErrNotFound) {
			t.Error(err)
		}
		fetched := config.Fetched{Agent: "a", Namespace: "payments", Revision: 3}
		for range 2 {
			if err := f.Fetched(t.Context(), fetched); err != nil {
				t.Fatal(err)
			}
		}
		if known, _ := f.Agent("a"); known.Fetched["payments"].Revision != 3 || known.Fetched["payments"].Epoch != "01E" {
			t.Errorf("%+v", known)
		}
	})
}

func TestAssign(t *testing.T) {
	r := newRegister()
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "host-7", "web")
		view, err := f.Assign(t.Context(), "host-7", usecase.Assignment{Interval: new(2 * time.Second), Namespaces: &[]config.Name{"b", "a", "b"}})
		if err != nil || view.Interval != 2*time.Second || fmt.Sprint(view.Follows()) != "[a b web]" {
			t.Errorf("%+v, %v", view, err)
		}
		if r.agents["host-7"].Interval != 2*time.Second {
			t.Error("it was answered before it was kept")
		}
		if f.Interval("host-7") != 2*time.Second || f.Interval("nobody") != interval {
			t.Error("the agent is not told")
		}
		enrol(t, f, "host-7", "web") // it starts again
		if known, _ := f.Agent("host-7"); known.Interval != 2*time.Second || len(known.Assigned) != 2 {
			t.Errorf("%+v", known)
		}
		if view, err = f.Assign(t.Context(), "host-7", usecase.Assignment{Interval: new(time.Duration(0))}); err != nil || view.Interval != interval {
			t.Errorf("%+v, %v", view, err)
		}
		for _, bad := range []time.Duration{time.Millisecond, -time.Second, 25 * time.Hour} {
			if _, err := f.Assign(t.Context(), "host-7", usecase.Assignment{Interval: &bad}); !errors.Is(err, usecase.ErrInterval) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if _, err := f.Assign(t.Context(), "nobody", usecase.Assignment{}); !errors.Is(err, domain.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestAChangeThatIsNotKeptIsNone: what an operator is answered with an error is neither
// told to the agent nor kept later.
func TestAChangeThatIsNotKeptIsNone(t *testing.T) {
	r, full := newRegister(), errors.New("no space left")
	at := config.Position{Epoch: "01E", Revision: 6}
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "host-7", "payments")
		refused := config.Fetched{Agent: "host-7", Namespace: "payments", Epoch: at.Epoch, Revision: at.Revision, ETag: "e", Status: config.Rejected, Code: "shrunk"}
		if err := f.Fetched(t.Context(), refused); err != nil {
			t.Fatal(err)
		}
		accept := func() error {
			_, err := f.Accept(t.Context(), "host-7", usecase.Acceptance{Namespace: "payments", At: at, By: domain.Actor{Name: "alice"}})
			return err
		}
		r.set(full)
		if err := accept(); !errors.Is(err, full) {
			t.Error(err)
		}
		set := usecase.Assignment{Interval: new(2 * time.Second), Namespaces: &[]config.Name{"web"}}
		if _, err := f.Assign(t.Context(), "host-7", set); !errors.Is(err, full) {
			t.Error(err)
		}
		unchanged := func(a domain.Agent) bool {
			return a.Refused["payments"].AcceptedBy == "" && a.Refused["payments"].Code == "shrunk" && a.Interval == 0 && len(a.Assigned) == 0
		}
		if known, _ := f.Agent("host-7"); !unchanged(known.Agent) {
			t.Errorf("the agent is told %+v", known)
		}
		r.set(nil)
		time.Sleep(time.Minute) // what is left to keep is kept
		if a := r.agent("host-7"); !unchanged(a) {
			t.Errorf("kept all the same: %+v", a)
		}
		if err := accept(); err != nil {
			t.Error(err)
		}
		if known, _ := f.Agent("host-7"); known.Refused["payments"].AcceptedBy != "alice" || r.agent("host-7").Refused["payments"].AcceptedBy != "alice" {
			t.Errorf("%+v", known)
		}
	})
}

// TestHeldRequestIsASignOfLife: an agent that waits for news for a minute is not
// late meanwhile.
func TestHeldRequestIsASignOfLife(t *testing.T) {
	withFleet(t, newRegister(), func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "host-7")
		done := f.Asking("host-7")
		time.Sleep(10 * interval)
		if known, _ := f.Agent("host-7"); known.State != domain.Online {
			t.Errorf("%+v", known)
		}
		done()
		time.Sleep(2*interval + time.Second)
		if known, _ := f.Agent("host-7"); known.State != domain.Late {
			t.Errorf("%+v", known)
		}
		f.Asking("nobody")()
	})
}

func TestWhoIsLongGoneIsForgotten(t *testing.T) {
	r := newRegister()
	withFleet(t, r, func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "host-7")
		record(t, f, verdict("w-1", config.Applied, 5))
		enrol(t, f, "held")
		defer f.Asking("held")()
		time.Sleep(8 * 24 * time.Hour)
		if views := f.Agents("", 0); len(views) != 1 || views[0].ID != "held" {
			t.Errorf("%+v", views)
		}
		if s := summary(t, f, 0); s.Workers != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestCensus(t *testing.T) {
	withFleet(t, newRegister(), func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "a")
		record(t, f, verdict("w-1", config.Applied, 5))
		record(t, f, verdict("w-2", config.Applied, 4))
		agents, workers := f.Census(t.Context())
		if agents[domain.Online] != 1 || workers.Workers != 2 || workers.Current != 1 || workers.Behind != 1 {
			t.Errorf("%v, %+v", agents, workers)
		}
	})
}

// TestSeenKeepsAnAgentOnline that never asks the controller itself.
func TestSeenKeepsAnAgentOnline(t *testing.T) {
	withFleet(t, newRegister(), func(t *testing.T, f *usecase.Fleet, _ func()) {
		enrol(t, f, "below", "payments")
		for range 10 {
			time.Sleep(interval)
			if _, ok := f.Seen("below", interval/2); !ok {
				t.Fatal("registered, and unknown")
			}
		}
		if known, _ := f.Agent("below"); known.State != domain.Online || time.Since(known.LastSeen) != interval/2 {
			t.Errorf("%+v", known)
		}
		time.Sleep(3 * interval)
		_, _ = f.Seen("below", 3*interval) // it says nothing new
		if known, _ := f.Agent("below"); known.State != domain.Late {
			t.Errorf("silent since, and %s", known.State)
		}
		if _, ok := f.Seen("nobody", 0); ok {
			t.Error("an agent that never registered is known")
		}
	})
}
