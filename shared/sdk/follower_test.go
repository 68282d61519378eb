package sdk_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
)

func TestRejectedIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, tries := newAgent(), 0
		a.limits(1, `{"rps":1}`)
		watch(t, a, sdk.Options[Limits]{Validate: func(l Limits) error {
			if l.RPS == 2 {
				tries++
				return errors.New("no")
			}
			return nil
		}})
		time.Sleep(time.Second)
		a.limits(2, `{"rps":2}`)
		time.Sleep(time.Hour)
		bodies := 0
		for _, p := range a.asked() {
			if p.status == http.StatusOK {
				bodies++
			}
		}
		if tries != 1 || bodies != 2 {
			t.Errorf("tried %d times, fetched %d bodies: want 1 and 2", tries, bodies)
		}
	})
}

func TestAnotherConfigMovesThePositionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, changes := newAgent(), 0
		a.serve("E1", 1, map[config.Name]string{"limits": `{"rps":1}`})
		w := watch(t, a, sdk.Options[Limits]{OnChange: func(_, _ Limits) error { changes++; return nil }})
		time.Sleep(time.Second)
		a.serve("E1", 2, map[config.Name]string{"limits": `{"rps":1}`, "motd": `"hello"`})
		time.Sleep(time.Second)
		if _, at := w.Current(); at.Revision != 2 || changes != 1 {
			t.Errorf("at %d after %d changes, want 2 after 1", at.Revision, changes)
		}
		if v := a.last(t); v.Revision != 2 || v.Status != config.Applied {
			t.Errorf("verdict %+v", v)
		}
	})
}

func TestDeletedConfigIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":1}`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		a.limits(2, "")
		time.Sleep(time.Second)
		if v := a.last(t); v.Revision != 2 || v.Code != sdk.CodeMissing || w.Load().RPS != 1 {
			t.Errorf("verdict %+v, value %+v", v, w.Load())
		}
	})
}

func TestVanishedConfigIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":1}`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		a.serve("E1", 2, nil)
		time.Sleep(time.Minute)
		if v := a.last(t); v.Revision != 2 || v.Code != sdk.CodeVanished || w.Load().RPS != 1 {
			t.Errorf("verdict %+v, value %+v", v, w.Load())
		}
	})
}

func TestOlderIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(5, `{"rps":5}`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		a.limits(4, `{"rps":4}`) // the agent lost its newest generation
		time.Sleep(10 * time.Minute)
		s := w.Status()
		if w.Load().RPS != 5 || s.LastRejected != nil {
			t.Errorf("went back to %+v, %+v", w.Load(), s.LastRejected)
		}
		if s.Agent.State != sdk.OK || !strings.Contains(s.Agent.LastError, "older") {
			t.Errorf("agent %+v, want one that answers what is older", s.Agent)
		}
		if n := len(a.asked()); n > 120 {
			t.Errorf("asked %d times in ten minutes: an agent that is behind is not to be stormed", n)
		}
		a.limits(6, `{"rps":6}`)
		time.Sleep(time.Minute)
		if w.Load().RPS != 6 {
			t.Errorf("did not go on: %+v", w.Load())
		}
	})
}

func TestOlderThanARejectedOneIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(5, `{"rps":5}`)
		watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		a.limits(7, `[]`)
		time.Sleep(time.Second)
		a.limits(6, `{"rps":6}`)
		time.Sleep(time.Minute)
		if v := a.last(t); v.Revision != 7 || v.Status != config.Rejected {
			t.Errorf("verdict %+v: the fleet would see the worker go backwards", v)
		}
	})
}

func TestLaterEpochBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(500, `{"rps":5}`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		a.serve("E2", 3, map[config.Name]string{"limits": `{"rps":3}`})
		time.Sleep(time.Second)
		if _, at := w.Current(); w.Load().RPS != 3 || at != (config.Position{Epoch: "E2", Revision: 3}) {
			t.Errorf("runs on %+v at %+v", w.Load(), at)
		}
	})
}

func TestRestartRunsOnTheLastGood(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(7, `{"rps":7}`)
		first := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Second)
		a.limits(8, `[]`) // rejected, so it is not the last good
		time.Sleep(time.Second)
		_ = first.Close()

		a.set(func() { a.away, a.reports = errors.New("connection refused"), nil })
		var old, now []Limits
		second := watch(t, a, sdk.Options[Limits]{StateDir: folder, OnChange: func(o, n Limits) error {
			old, now = append(old, o), append(now, n)
			return nil
		}})
		select {
		case <-second.Ready():
		default:
			t.Error("not ready at once")
		}
		if _, at := second.Current(); second.Load().RPS != 7 || at.Revision != 7 {
			t.Errorf("runs on %+v at %d, want the last good", second.Load(), at.Revision)
		}
		if len(now) != 1 || old[0].RPS != 0 || now[0].RPS != 7 {
			t.Errorf("OnChange heard %v to %v", old, now)
		}
		time.Sleep(time.Minute)
		a.set(func() { a.away = nil })
		time.Sleep(time.Minute)
		if v := a.last(t); v.Revision != 8 || v.Status != config.Rejected || v.Agent != "host-7" {
			t.Errorf("verdict %+v: a restart tries what was rejected once more", v)
		}
	})
}

func TestUnchangedLastGoodIsToldAgain(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(7, `{"rps":7}`)
		first := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Second)
		_ = first.Close()
		a.set(func() { a.reports = nil })
		watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(20 * time.Second) // the first sign of life after it knows its agent
		if v := a.last(t); v.Revision != 7 || v.Status != config.Applied || v.Agent != "host-7" {
			t.Errorf("verdict %+v", v)
		}
	})
}

func TestLastGoodThatIsGoodNoMoreIsLeftAlone(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(7, `{"rps":7}`)
		first := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Second)
		_ = first.Close()
		strict := sdk.Options[Limits]{StateDir: folder, Default: Limits{RPS: 1}, Validate: func(l Limits) error {
			if l.RPS == 7 {
				return errors.New("seven is out of fashion")
			}
			return nil
		}}
		second := watch(t, a, strict)
		time.Sleep(2 * time.Second)
		if v := a.last(t); second.Load().RPS != 1 || v.Code != sdk.CodeValidate || v.Revision != 7 {
			t.Errorf("runs on %+v, verdict %+v", second.Load(), v)
		}
		a.limits(8, `{"rps":8}`)
		time.Sleep(time.Second)
		if second.Load().RPS != 8 {
			t.Errorf("did not go on: %+v", second.Load())
		}
	})
}

func TestDamagedLastGoodWaitsForTheAgent(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(7, `{"rps":7}`)
		first := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Second)
		_ = first.Close()
		damage(t, filepath.Join(folder, "payments", "limits", "payments.snapshot"))
		second := watch(t, a, sdk.Options[Limits]{StateDir: folder, Default: Limits{RPS: 1}})
		if second.Load().RPS != 1 {
			t.Errorf("runs on what is damaged: %+v", second.Load())
		}
		time.Sleep(time.Second)
		if second.Load().RPS != 7 {
			t.Errorf("the agent was not asked: %+v", second.Load())
		}
	})
}

func damage(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whoever has seen a value finds it again after a restart.
func TestWhatIsSeenIsKept(t *testing.T) {
	folder := t.TempDir()
	kept := filepath.Join(folder, "payments", "limits", "payments.snapshot")
	for range 20 {
		_ = os.Remove(kept)
		synctest.Test(t, func(t *testing.T) {
			a := newAgent()
			w := watch(t, a, sdk.Options[Limits]{StateDir: folder})
			a.limits(7, `{"rps":7}`)
			if err := w.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(kept); err != nil {
				t.Errorf("seen, and not kept: %v", err)
			}
		})
	}
}

// A folder of the name of the file that is written beside makes each write fail.
func TestSavingIsTriedAgain(t *testing.T) {
	folder := t.TempDir()
	obstacle := filepath.Join(folder, "payments", "limits", "payments.snapshot.new")
	kept := filepath.Join(folder, "payments", "limits", "payments.snapshot")
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		w := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		if err := os.MkdirAll(obstacle, 0o700); err != nil {
			t.Fatal(err)
		}
		a.limits(7, `{"rps":7}`)
		time.Sleep(time.Second)
		if v := a.last(t); w.Load().RPS != 7 || v.Status != config.Applied {
			t.Errorf("a disk that fails took the config away: %+v, %+v", w.Load(), v)
		}
		if _, err := os.Stat(kept); err == nil {
			t.Fatal("it was kept all the same: the test tests nothing")
		}
		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := os.Stat(kept); err != nil {
			t.Errorf("not kept once the disk was well: %v", err)
		}
	})
}
