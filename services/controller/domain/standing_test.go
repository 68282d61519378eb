package domain_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

const interval = 15 * time.Second

func at(revision config.Revision) config.Position {
	return config.Position{Epoch: "01E", Revision: revision}
}

func verdict(status config.Status, revision config.Revision, minute int) config.Verdict {
	return config.Verdict{
		Worker: "w-1", Agent: "host-7", Namespace: "payments", Epoch: "01E", Revision: revision,
		Status: status, Code: "decode", Message: "no", At: noon.Add(time.Duration(minute) * time.Minute),
	}
}

func observe(verdicts ...config.Verdict) domain.Standing {
	var s domain.Standing
	for _, v := range verdicts {
		s = s.Observe(v, v.At)
	}
	return s
}

func TestStandingState(t *testing.T) {
	for _, c := range []struct {
		name     string
		verdicts []config.Verdict
		wanted   config.Revision
		want     domain.WorkerState
	}{
		{"applied", []config.Verdict{verdict(config.Applied, 2, 0)}, 2, domain.Current},
		{"a newer one applied", []config.Verdict{verdict(config.Applied, 3, 0)}, 2, domain.Current},
		{"an older one applied", []config.Verdict{verdict(config.Applied, 1, 0)}, 2, domain.Behind},
		{"rejected", []config.Verdict{verdict(config.Applied, 1, 0), verdict(config.Rejected, 2, 0)}, 2, domain.Rejected},
		{"rejected, asked for the one before", []config.Verdict{verdict(config.Applied, 1, 0), verdict(config.Rejected, 2, 0)}, 1, domain.Current},
		{"rejected, and a newer one came", []config.Verdict{verdict(config.Applied, 1, 0), verdict(config.Rejected, 2, 0)}, 3, domain.Behind},
		{"rejected at once", []config.Verdict{verdict(config.Rejected, 2, 0)}, 2, domain.Rejected},
		{"rejected, then mended", []config.Verdict{verdict(config.Rejected, 2, 0), verdict(config.Applied, 2, 1)}, 2, domain.Current},
		{"applied, then started with other code", []config.Verdict{verdict(config.Applied, 2, 0), verdict(config.Rejected, 2, 1)}, 2, domain.Rejected},
		{"and back", []config.Verdict{verdict(config.Applied, 2, 0), verdict(config.Rejected, 2, 1), verdict(config.Applied, 2, 2)}, 2, domain.Current},
		{"an old verdict arrives late", []config.Verdict{verdict(config.Applied, 2, 1), verdict(config.Applied, 1, 0)}, 2, domain.Current},
		{"an old rejection arrives late", []config.Verdict{verdict(config.Applied, 2, 1), verdict(config.Rejected, 1, 0)}, 2, domain.Current},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := observe(c.verdicts...)
			if got := s.State(at(c.wanted), s.LastSeen, time.Time{}, interval); got != c.want {
				t.Errorf("got %s, want %s: %+v", got, c.want, s)
			}
		})
	}
}

// A verdict is told until it is heard, so that one may come late: it is known all the
// same that a revision was refused, and by whom and through whom as of now.
func TestLateVerdictsMoveNothingBackwards(t *testing.T) {
	newest := verdict(config.Applied, 4, 9)
	inOrder := observe(verdict(config.Applied, 2, 1), verdict(config.Rejected, 3, 2), newest)
	former := verdict(config.Rejected, 3, 2)
	former.Agent = "host-6"
	late := observe(newest, verdict(config.Applied, 2, 1), former)
	if !late.Same(inOrder) || late.Running.Revision != 4 || late.LastRejected.Revision != 3 || late.Agent != "host-7" {
		t.Errorf("%+v, rejected %+v; in order %+v", late, late.LastRejected, inOrder)
	}
	if got := late.State(at(4), late.LastSeen, time.Time{}, interval); got != domain.Current {
		t.Errorf("it is %s", got)
	}
}

func TestNewEpochWins(t *testing.T) {
	old := verdict(config.Applied, 50, 0)
	restored := verdict(config.Applied, 40, 1)
	restored.Epoch = "01F"
	s := observe(old, restored, old)
	if s.Running.Epoch != "01F" || s.Running.Revision != 40 {
		t.Errorf("%+v", s.Running)
	}
}

func TestRepeatedVerdictIsASignOfLife(t *testing.T) {
	first := observe(verdict(config.Applied, 2, 0))
	later := noon.Add(time.Hour)
	again := first.Observe(verdict(config.Applied, 2, 30), later)
	if !again.Same(first) || !again.LastSeen.Equal(later) {
		t.Errorf("%+v is not %+v seen later", again, first)
	}
	if moved := first.Observe(verdict(config.Applied, 3, 0), later); moved.Same(first) {
		t.Error("a new revision is something new")
	}
}

func TestLostWorker(t *testing.T) {
	s := observe(verdict(config.Applied, 2, 0))
	for _, c := range []struct {
		after time.Duration
		heard time.Duration // when the controller started
		want  domain.WorkerState
	}{
		{0, -time.Hour, domain.Current},
		{5 * interval, -time.Hour, domain.Current},
		{5*interval + 1, -time.Hour, domain.WorkerLost},
		{time.Hour, time.Hour - time.Second, domain.Current},
		{time.Hour, time.Hour - 6*interval, domain.WorkerLost},
	} {
		if got := s.State(at(2), noon.Add(c.after), noon.Add(c.heard), interval); got != c.want {
			t.Errorf("%s after, heard since %s: got %s, want %s", c.after, c.heard, got, c.want)
		}
	}
}

// TestStandingNeverMovesBackwards: whatever the order and the repetitions, what a
// worker runs on only goes forward.
func TestStandingNeverMovesBackwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s domain.Standing
		newest := map[config.Status]config.Position{}
		for range rapid.IntRange(1, 30).Draw(t, "verdicts") {
			v := verdict(rapid.SampledFrom([]config.Status{config.Applied, config.Rejected}).Draw(t, "status"),
				config.Revision(rapid.IntRange(1, 5).Draw(t, "revision")), rapid.IntRange(0, 5).Draw(t, "minute"))
			v.Epoch = rapid.SampledFrom([]config.Epoch{"01E", "01F"}).Draw(t, "epoch")
			s = s.Observe(v, noon)
			if v.Position().Compare(newest[v.Status]) > 0 {
				newest[v.Status] = v.Position()
			}
		}
		if s.Running != nil && s.Running.Position != newest[config.Applied] {
			t.Fatalf("runs on %v, but %v was told", s.Running.Position, newest[config.Applied])
		}
		if s.LastRejected != nil && s.LastRejected.Position != newest[config.Rejected] {
			t.Fatalf("rejected %v, but %v was told", s.LastRejected.Position, newest[config.Rejected])
		}
	})
}

func TestAgentState(t *testing.T) {
	a := domain.Agent{LastSeen: noon}
	for _, c := range []struct {
		after time.Duration
		want  domain.AgentState
	}{
		{0, domain.Online}, {2 * interval, domain.Online}, {2*interval + 1, domain.Late},
		{5 * interval, domain.Late}, {5*interval + 1, domain.Lost},
	} {
		if got := a.State(noon.Add(c.after), time.Time{}, interval); got != c.want {
			t.Errorf("after %s: got %s, want %s", c.after, got, c.want)
		}
	}
	if got := a.State(noon.Add(time.Hour), noon.Add(time.Hour), interval); got != domain.Online {
		t.Errorf("a controller that has just started misses nobody, got %s", got)
	}
}

func TestAgentFollowsBoth(t *testing.T) {
	a := domain.Agent{
		Registration: domain.Registration{Namespaces: []config.Name{"web", "payments"}},
		Assigned:     []config.Name{"payments", "audit"},
	}
	got := a.Follows()
	if len(got) != 3 || got[0] != "audit" || got[1] != "payments" || got[2] != "web" {
		t.Errorf("%v", got)
	}
	if a.Namespaces[0] != "web" {
		t.Error("the agent was changed")
	}
}

func TestAgentKeep(t *testing.T) {
	a, changed := domain.Agent{}.Keep("payments", domain.Mark{Position: at(2), At: noon})
	if !changed || a.Fetched["payments"].Revision != 2 {
		t.Errorf("%+v", a)
	}
	for _, revision := range []config.Revision{1, 2} {
		if _, changed := a.Keep("payments", domain.Mark{Position: at(revision), At: noon.Add(time.Hour)}); changed {
			t.Errorf("revision %d is nothing new", revision)
		}
	}
	b, changed := a.Keep("web", domain.Mark{Position: at(1), At: noon})
	if !changed || len(b.Fetched) != 2 || len(a.Fetched) != 1 {
		t.Errorf("%+v after %+v", b, a)
	}
}

func TestGoodbyes(t *testing.T) {
	applied := verdict(config.Applied, 2, 10)
	gone := observe(applied).Leave(noon.Add(20*time.Minute), noon.Add(21*time.Minute))
	if !gone.Stopped() || gone.Same(observe(applied)) {
		t.Fatalf("%+v", gone)
	}
	for minute, back := range map[int]bool{5: false, 10: false, 20: false, 21: true} {
		if s := gone.Observe(verdict(config.Applied, 3, minute), noon.Add(time.Hour)); s.Stopped() == back {
			t.Errorf("a verdict of minute %d: %+v", minute, s)
		}
	}
	if s := observe(applied, verdict(config.Applied, 2, 15)).Leave(noon.Add(12*time.Minute), noon.Add(time.Hour)); s.Stopped() {
		t.Errorf("the goodbye of a former run came late: %+v", s)
	}
	if s := observe(applied).Leave(time.Time{}, noon.Add(time.Hour)); !s.StoppedAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("one that does not say when: %+v", s)
	}
	ahead := observe(applied).Leave(noon.Add(1000*time.Hour), noon.Add(time.Hour))
	if s := ahead.Observe(verdict(config.Applied, 2, 61), noon.Add(61*time.Minute)); s.Stopped() {
		t.Errorf("a clock that was wrong hides a worker that is back: %+v", s)
	}
}
