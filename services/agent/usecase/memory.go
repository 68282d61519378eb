package usecase

import (
	"context"
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// unheardAfter is how long news may wait to be heard before it is written down.
const unheardAfter = 200 * time.Millisecond

// A Memory keeps verdicts over a restart.
type Memory interface {
	// KeepVerdicts returns nil once these are on disk, in the place of those before.
	KeepVerdicts(verdicts []config.Verdict) error
	// Verdicts returns what is on disk, nothing where it cannot be read.
	Verdicts() []config.Verdict
}

// A memory is what a Reporter knows of its own.
type memory struct {
	Memory

	mu     sync.Mutex
	used   bool // there are verdicts in it
	failed bool // the last time
}

// An unkept counts the verdicts that were news, and how many of the first ones are kept:
// heard above, or on disk. Its user holds a lock.
type unkept struct {
	added    int
	departed int           // what went upward last was among the first so many
	kept     int           // the first so many
	safe     int           // and those that cannot be, besides
	heard    bool          // since something was written down
	changed  chan struct{} // closed when more are safe
	stirred  chan struct{} // something is to be written down, or struck out
}

func newUnkept() unkept {
	return unkept{changed: make(chan struct{}), stirred: make(chan struct{}, 1)}
}

func (u *unkept) add() {
	u.added++
	u.stir()
}

func (u *unkept) depart() { u.departed = u.added }

func (u *unkept) arrive() {
	u.heard, u.kept = true, max(u.kept, u.departed)
	u.secure(u.departed)
	u.stir()
}

func (u *unkept) secure(n int) {
	if n > u.safe {
		u.safe = n
		close(u.changed)
		u.changed = make(chan struct{})
	}
}

func (u *unkept) stir() {
	select {
	case u.stirred <- struct{}{}:
	default:
	}
}

// Remember takes over the verdicts that nobody heard before a restart, and keeps those
// that nobody hears from now on. It is called before Run.
func (r *Reporter) Remember(m Memory) {
	verdicts := m.Verdicts()
	r.memory.Memory, r.memory.used = m, len(verdicts) > 0
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range verdicts {
		r.keep(r.backlog.restoreApplied(v))
	}
	if len(verdicts) > 0 {
		r.send(time.Now())
	}
}

// Take is Add for those who forget what was taken: it returns once all news was heard
// above or is on disk, or cannot be written there; or when ctx ends. It needs Run.
func (r *Reporter) Take(ctx context.Context, reports config.Reports) {
	r.Add(reports)
	if r.memory.Memory == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for all := r.unkept.added; r.unkept.safe < all; {
		changed := r.unkept.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		r.mu.Lock()
		if ctx.Err() != nil {
			return
		}
	}
}

// keepUnheard writes down, until ctx ends, what is not heard within a moment.
func (r *Reporter) keepUnheard(ctx context.Context) {
	for {
		select {
		case <-r.unkept.stirred:
		case <-ctx.Done():
			return
		}
		pause(ctx, unheardAfter)
		r.remember()
	}
}

// remember writes down what was not heard, or strikes out what was written down once
// all is. Signs of life alone are not written down.
func (r *Reporter) remember() {
	if r.memory.Memory == nil {
		return
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.mu.Lock()
	news, heard := r.unkept.added, r.unkept.heard
	var unheard []config.Verdict
	if news > r.unkept.kept {
		unheard = append(append(unheard, r.flying...), r.backlog.all()...)
	} else if !heard || !r.memory.used {
		r.mu.Unlock()
		return
	}
	r.unkept.heard = false
	r.mu.Unlock()
	err := r.memory.KeepVerdicts(unheard)
	if err != nil && !r.memory.failed {
		r.logger.Warn("verdicts that nobody hears are not kept over a restart", "error", err)
	}
	r.memory.failed = err != nil
	r.memory.used = len(unheard) > 0 || r.memory.used && err != nil
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unkept.secure(news)
	if err == nil {
		r.unkept.kept = max(r.unkept.kept, news)
	} else {
		r.unkept.heard = true
	}
}
