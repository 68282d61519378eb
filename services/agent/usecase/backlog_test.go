package usecase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

func tried(worker string, revision int, status config.Status) config.Verdict {
	return config.Verdict{Worker: worker, Namespace: "payments", Revision: config.Revision(revision), Status: status, At: time.Unix(int64(revision), 0)}
}

// A worker with a long story does not keep out one that is new.
func TestAFullBacklogKeepsTheNewestOfEachWorker(t *testing.T) {
	b := newBacklog()
	for worker := range maxReports / 10 {
		for revision := range 10 {
			if _, dropped := b.addApplied(tried(fmt.Sprint("w-", worker), revision+1, config.Applied)); dropped != nil {
				t.Fatalf("dropped %v of %d", dropped, b.verdicts)
			}
		}
	}
	for worker := range maxReports / 10 {
		taken, dropped := b.addApplied(tried(fmt.Sprint("new-", worker), 1, config.Rejected))
		if !taken || dropped == nil || dropped.Revision == 10 || dropped.Status != config.Applied {
			t.Fatalf("taken %t, dropped %v", taken, dropped)
		}
	}
	if b.verdicts != maxReports || len(b.applied) != maxReports/5 {
		t.Errorf("%d verdicts of %d workers", b.verdicts, len(b.applied))
	}
	for key, verdicts := range b.applied {
		if newest := verdicts[len(verdicts)-1]; newest.Status == config.Applied && newest.Revision != 10 {
			t.Fatalf("%v: the newest is %d", key, newest.Revision)
		}
	}
	if _, dropped := b.addApplied(tried("new-0", 2, config.Applied)); dropped == nil || dropped.Worker != "new-0" || dropped.Revision != 1 {
		t.Errorf("dropped %v: a worker with two makes room by itself", dropped)
	}
}

func TestABacklogIsTakenInOrderOverBatches(t *testing.T) {
	b := newBacklog()
	for _, revision := range []int{3, 1, 2, 5, 4} {
		b.addApplied(tried("w-1", revision, config.Applied))
	}
	var taken []int
	for range 3 {
		for _, v := range b.take(2).Applied {
			taken = append(taken, int(v.Revision))
		}
	}
	if !slices.Equal(taken, []int{1, 2, 3, 4, 5}) || b.verdicts != 0 || len(b.applied) != 0 {
		t.Errorf("taken %v, %d are left", taken, b.verdicts)
	}
}

// A fakeMemory is a disk that can be full.
type fakeMemory struct {
	mu   sync.Mutex
	kept []config.Verdict
	full error
	n    int // how often something was kept
}

func (m *fakeMemory) Verdicts() []config.Verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.kept)
}

func (m *fakeMemory) KeepVerdicts(verdicts []config.Verdict) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n++; m.full == nil {
		m.kept = verdicts
	}
	return m.full
}

func revisions(verdicts []config.Verdict) (all []int) {
	for _, v := range verdicts {
		all = append(all, int(v.Revision))
	}
	return all
}

func TestVerdictsAreKeptOverARestartUntilHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m := &fakeController{err: errors.New("refused")}, &fakeMemory{full: errors.New("no space left")}
		first := NewReporter(c, noInterval, slog.New(slog.DiscardHandler))
		first.Remember(m)
		stop := start(t, first.Run)
		first.Add(config.Reports{Applied: []config.Verdict{tried("w-1", 2, config.Applied), tried("w-1", 3, config.Rejected)}})
		time.Sleep(5 * time.Second)
		m.mu.Lock()
		m.full = nil
		m.mu.Unlock()
		time.Sleep(time.Minute)
		if got := revisions(m.Verdicts()); !slices.Equal(got, []int{2, 3}) {
			t.Fatalf("kept are %v", got)
		}
		written := m.n
		first.Add(config.Reports{Applied: []config.Verdict{tried("w-1", 3, config.Rejected)}})
		time.Sleep(5 * time.Minute)
		if m.n != written {
			t.Errorf("written %d times for a sign of life", m.n-written)
		}
		first.Add(config.Reports{Applied: []config.Verdict{tried("w-1", 4, config.Applied)}})
		stop()
		first.Goodbye(t.Context(), "host-7")
		if got := revisions(m.Verdicts()); !slices.Equal(got, []int{2, 3, 4}) {
			t.Fatalf("kept are %v after the stop", got)
		}

		second := NewReporter(c, noInterval, slog.New(slog.DiscardHandler))
		second.Remember(m)
		c.fail(nil)
		stop = start(t, second.Run)
		time.Sleep(time.Second)
		heard, _ := c.heard()
		if got := revisions(heard); !slices.Equal(got, []int{2, 3, 4}) {
			t.Errorf("heard are %v after the restart", got)
		}
		if got := m.Verdicts(); len(got) != 0 {
			t.Errorf("kept are %v, all of which were heard", got)
		}
		written = m.n
		second.Add(config.Reports{Applied: []config.Verdict{tried("w-1", 5, config.Applied)}})
		time.Sleep(time.Second)
		if stop(); m.n != written {
			t.Error("what is heard at once costs the disk nothing")
		}
	})
}

// A hangingController takes reports and says nothing.
type hangingController struct{ fakeController }

func (*hangingController) Report(ctx context.Context, _ config.Reports) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestWhatIsTakenIsSafe: heard, or else on disk, on its way as well; a disk that is
// full holds nobody up.
func TestWhatIsTakenIsSafe(t *testing.T) {
	full := errors.New("no space left")
	for name, c := range map[string]struct {
		above Controller
		full  error
		kept  []int
	}{
		"heard":     {&fakeController{}, nil, nil},
		"refused":   {&fakeController{err: errors.New("refused")}, nil, []int{2, 3}},
		"hanging":   {&hangingController{}, nil, []int{2, 3}},
		"full disk": {&hangingController{}, full, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &fakeMemory{full: c.full}
				r := NewReporter(c.above, noInterval, slog.New(slog.DiscardHandler))
				r.Remember(m)
				defer start(t, r.Run)()
				began := time.Now()
				r.Take(t.Context(), config.Reports{Applied: []config.Verdict{tried("w-1", 2, config.Rejected)}})
				r.Take(t.Context(), config.Reports{Applied: []config.Verdict{tried("w-1", 3, config.Applied)}})
				if got := revisions(m.Verdicts()); !slices.Equal(got, c.kept) {
					t.Errorf("on disk are %v, want %v", got, c.kept)
				}
				if took := time.Since(began); took > time.Second || (c.kept == nil && c.full == nil && m.n > 0) {
					t.Errorf("it took %s, and the disk %d writes", took, m.n)
				}
				r.Take(t.Context(), config.Reports{Applied: []config.Verdict{tried("w-1", 3, config.Applied)}}) // no news
				gone, cancel := context.WithCancel(t.Context())
				cancel()
				r.Take(gone, config.Reports{Applied: []config.Verdict{tried("w-1", 4, config.Applied)}})
			})
		})
	}
}
