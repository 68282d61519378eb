package usecase

import (
	"context"
	"sync"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A shelf holds the newest snapshots.
type shelf struct {
	mu     sync.Mutex
	places map[config.Name]*place
	born   chan struct{} // closed once a namespace is written for the first time
}

// A place is where one namespace stands on the shelf. Whoever commits to the
// namespace, or reads it from the store, locks the place; whoever reads it does not.
type place struct {
	namespace config.Name
	busy      chan struct{} // a lock that can be waited for with a context
	shelf     *shelf
	after     *domain.Namespace // what the last commit left, where it has schemas; under the lock

	// Below is under the shelf's mutex.
	users  int // who may wait for the lock of a namespace that is not written
	exists bool
	doubt  bool // the store may have something newer
	newest *config.Snapshot
	next   chan struct{} // closed once newest is not the newest any more
}

func (p *place) lock(ctx context.Context) error {
	select {
	case p.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *place) unlock() { <-p.busy }

func (p *place) snapshot() *config.Snapshot {
	p.shelf.mu.Lock()
	defer p.shelf.mu.Unlock()
	return p.newest
}

func (s *shelf) fill(names []config.Name) {
	s.places, s.born = map[config.Name]*place{}, make(chan struct{})
	for _, name := range names {
		s.add(name).exists = true
	}
}

func (s *shelf) add(namespace config.Name) *place {
	p := &place{namespace: namespace, shelf: s, busy: make(chan struct{}, 1), next: make(chan struct{})}
	s.places[namespace] = p
	return p
}

// place returns the place of a namespace, which stays until it is vacated, and
// for good once the namespace exists.
func (s *shelf) place(namespace config.Name) *place {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.places[namespace]
	if !ok {
		p = s.add(namespace)
	}
	p.users++
	return p
}

// vacate ends the use of a place. One whose namespace was never written goes, so
// that refused commits do not fill the shelf.
func (s *shelf) vacate(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.users--; p.users == 0 && !p.exists && !p.doubt {
		delete(s.places, p.namespace)
	}
}

// find returns what is in memory of a namespace. known is false for one that is
// not written; the channel then tells of any that is new.
func (s *shelf) find(namespace config.Name) (newest *config.Snapshot, changed <-chan struct{}, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.places[namespace]; ok && (p.exists || p.doubt) {
		return p.newest, p.next, true
	}
	return nil, s.born, false
}

// swap puts a snapshot in its place, unless a newer one stands there, and wakes
// who waits for it.
func (s *shelf) swap(p *place, snapshot *config.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.doubt = false
	if p.newest != nil && snapshot.Compare(p.newest.Position) <= 0 {
		return
	}
	p.newest = snapshot
	close(p.next)
	p.next = make(chan struct{})
	if !p.exists {
		p.exists = true
		close(s.born)
		s.born = make(chan struct{})
	}
}

// mark notes whether the store may have something newer than the place.
func (s *shelf) mark(p *place, doubt bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.doubt = doubt
}

// unsure returns the places that may be behind the store.
func (s *shelf) unsure() []*place {
	s.mu.Lock()
	defer s.mu.Unlock()
	var unsure []*place
	for _, p := range s.places {
		if p.doubt {
			unsure = append(unsure, p)
		}
	}
	return unsure
}

// succeed seals the snapshot that a commit makes of the one before it, nil where
// that is not what is held, or the commit changes nothing. Documents are shared,
// since nobody changes them.
func succeed(held *config.Snapshot, commit domain.Commit) *config.Snapshot {
	switch {
	case !commit.Changed():
		return nil
	case commit.Revision == 1:
		held = new(config.Snapshot)
	case held == nil || held.Epoch != commit.Epoch || held.Revision != commit.Revision-1:
		return nil
	}
	changed := map[config.Name]bool{}
	var configs []config.Entry
	var tombstones []config.Tombstone
	for _, change := range commit.Changes {
		changed[change.Name] = true
		if change.Op == domain.Delete {
			tombstones = append(tombstones, config.Tombstone{Name: change.Name, Revision: commit.Revision})
			continue
		}
		configs = append(configs, config.Entry{
			Name: change.Name, Revision: commit.Revision, ETag: change.ETag, Document: change.Document,
		})
	}
	for _, e := range held.Configs {
		if !changed[e.Name] {
			configs = append(configs, e)
		}
	}
	for _, t := range held.Tombstones {
		if !changed[t.Name] {
			tombstones = append(tombstones, t)
		}
	}
	return config.Seal(commit.Namespace, commit.Position, configs, tombstones)
}
