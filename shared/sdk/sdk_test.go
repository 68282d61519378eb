package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
)

func TestWatchFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		w := watch(t, a, sdk.Options[Limits]{Default: Limits{RPS: 1}})
		if got := w.Load(); got.RPS != 1 {
			t.Errorf("before the first config: %+v, want the default", got)
		}
		if _, at := w.Current(); at.Revision != 0 {
			t.Errorf("before the first config the position is %+v", at)
		}
		time.Sleep(time.Minute)
		a.limits(41, `{"rps":50}`)
		if err := w.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		changedAt := time.Now()
		a.limits(42, `{"rps":60}`)
		for w.Load().RPS != 60 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(changedAt); took > 200*time.Millisecond {
			t.Errorf("a change took %v with requests that are held", took)
		}
		synctest.Wait()
		got := a.last(t)
		want := config.Verdict{Worker: "w-1", Agent: "host-7", Namespace: "payments", Epoch: "E1", Revision: 42, Status: config.Applied, At: got.At}
		if got != want {
			t.Errorf("verdict %+v, want %+v", got, want)
		}
		if _, at := w.Current(); at != want.Position() {
			t.Errorf("position %+v, want %+v", at, want.Position())
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, newAgent(), sdk.Options[Limits]{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.away = errors.New("connection refused")
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		s := w.Status()
		if s.Agent.State != sdk.Down || !strings.Contains(s.Agent.LastError, "refused") || s.Running != nil || s.LastRejected != nil {
			t.Errorf("with no agent: %+v", s)
		}
		a.set(func() { a.away = nil })
		time.Sleep(time.Minute)
		if s := w.Status(); s.Agent.State != sdk.OK || s.Running != nil {
			t.Errorf("with an agent that knows no such namespace: %+v", s)
		}
		a.limits(7, `{"rps":1}`)
		synctest.Wait()
		s = w.Status()
		if s.Agent.ID != "host-7" || s.Agent.LastError != "" || s.Running.Revision != 7 || s.Running.Since.IsZero() {
			t.Errorf("running: %+v, %+v", s, s.Running)
		}
		a.limits(8, `[]`)
		time.Sleep(time.Second)
		s = w.Status()
		if s.Running.Revision != 7 || s.LastRejected == nil || s.LastRejected.Revision != 8 || s.LastRejected.Code != sdk.CodeDecode {
			t.Errorf("after a rejection: %+v, %+v", s.Running, s.LastRejected)
		}
	})
}

func TestLogHasALineForEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":1}`)
		var log strings.Builder
		w := watch(t, a, sdk.Options[Limits]{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range 2 {
			time.Sleep(time.Minute)
			a.set(func() { a.away = fmt.Errorf("refused on port %d", i) })
			time.Sleep(10 * time.Minute)
			a.set(func() { a.away = nil })
		}
		time.Sleep(time.Minute)
		_ = w.Close()
		for message, want := range map[string]int{"pull failed": 2, "pull works again": 2, "verdict not heard": 2, "newer revision": 1} {
			if got := strings.Count(log.String(), message); got != want {
				t.Errorf("%q stands %d times, want %d:\n%s", message, got, want, log.String())
			}
		}
	})
}

func TestAgentThatIsThereIsOKAtOnceAfterARestart(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(7, `{"rps":1}`)
		first := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Second)
		_ = first.Close()
		second := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(1100 * time.Millisecond) // it waits up to a second, since it has something
		if s := second.Status(); s.Agent.State != sdk.OK || s.Agent.ID != "host-7" {
			t.Errorf("agent %+v: held requests hid that it answers", s.Agent)
		}
	})
}

func TestOptionsThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		watched string
		options sdk.Options[Limits]
	}{
		"no config":         {"payments", sdk.Options[Limits]{}},
		"a bad namespace":   {"Payments/limits", sdk.Options[Limits]{}},
		"a bad config":      {"payments/a/b", sdk.Options[Limits]{}},
		"a bad worker":      {"payments/limits", sdk.Options[Limits]{Worker: "two words"}},
		"a short interval":  {"payments/limits", sdk.Options[Limits]{Interval: time.Millisecond}},
		"a file as folder":  {"payments/limits", sdk.Options[Limits]{StateDir: file}},
		"no scheme":         {"payments/limits", sdk.Options[Limits]{Agent: "127.0.0.1:8081"}},
		"a scheme of its":   {"payments/limits", sdk.Options[Limits]{Agent: "redis://127.0.0.1"}},
		"no host":           {"payments/limits", sdk.Options[Limits]{Agent: "http://"}},
		"a password in it":  {"payments/limits", sdk.Options[Limits]{Agent: "http://me:secret@host"}},
		"not even a URL":    {"payments/limits", sdk.Options[Limits]{Agent: "http://\x7f"}},
		"a query behind it": {"payments/limits", sdk.Options[Limits]{Agent: "http://host?x=1"}},
	} {
		w, err := sdk.Watch(t.Context(), c.watched, c.options)
		if !errors.Is(err, sdk.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = w.Close()
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestAgentFromTheEnvironment(t *testing.T) {
	a := newAgent()
	a.limits(1, `{"rps":5}`)
	server := httptest.NewServer(a)
	defer server.Close()
	t.Setenv("HERALD_AGENT", server.URL)
	w, err := sdk.Watch(t.Context(), "payments/limits", sdk.Options[Limits]{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.Wait(ctx); err != nil || w.Load().RPS != 5 {
		t.Errorf("%v, %+v", err, w.Load())
	}
	if host, _ := os.Hostname(); w.Status().Worker != host {
		t.Errorf("worker %q, want the host's name %q", w.Status().Worker, host)
	}
}

func TestCloseLeavesTheValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":5}`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		_ = w.Close()
		_ = w.Close()
		a.limits(2, `{"rps":6}`)
		time.Sleep(time.Hour)
		if w.Load().RPS != 5 {
			t.Errorf("a closed Value went on: %+v", w.Load())
		}
	})
}

func TestLoadAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"rps":5}`)
		w := watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		_ = w.Close()
		if n := testing.AllocsPerRun(100, func() { w.Load() }); n != 0 {
			t.Errorf("Load allocates %v times", n)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	w, err := sdk.Watch(b.Context(), "payments/limits", sdk.Options[Limits]{
		Agent: "http://127.0.0.1:1", Default: Limits{RPS: 1}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	_ = w.Close()
	sum := 0
	for b.Loop() {
		sum += w.Load().RPS
	}
	if sum != b.N {
		b.Errorf("%d of %d", sum, b.N)
	}
}
