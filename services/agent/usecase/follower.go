package usecase

import (
	"sync"

	"github.com/heraldconf/herald/services/agent/domain"
)

// A follower is one namespace's holding and what keeps it current.
type follower struct {
	keeping sync.Mutex // held while what is held is replaced, and kept

	mu      sync.Mutex
	holding domain.Holding
	changed chan struct{} // closed and made anew with each change
	puller  Puller
}

func (f *follower) get() domain.Holding {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holding
}

// set replaces the holding, and wakes who waits if there is something new to see.
func (f *follower) set(h domain.Holding) {
	f.change(func(domain.Holding) domain.Holding { return h })
}

// change is set for what depends on what is held.
func (f *follower) change(next func(domain.Holding) domain.Holding) (before, after domain.Holding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before = f.holding
	h := next(before)
	news := h.Snapshot != f.holding.Snapshot || h.Known != f.holding.Known || h.Absent != f.holding.Absent
	f.holding = h
	if news {
		close(f.changed)
		f.changed = make(chan struct{})
	}
	return before, h
}

func (f *follower) watch() (domain.Holding, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holding, f.changed
}
