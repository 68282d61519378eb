package usecase

import (
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
)

// save asks the disk to keep what is held.
func (s *Syncer) save(h domain.Holding) domain.Holding {
	err := s.cache.Keep(h.Snapshot, h.Confirmed)
	s.diskDid(err)
	return h.Kept(err)
}

// CheckDisk notes whether the disk can keep anything.
func (s *Syncer) CheckDisk() { s.diskDid(s.cache.Check()) }

func (s *Syncer) diskDid(err error) {
	s.mu.Lock()
	before := s.disk
	s.disk = before.Observe(err, time.Now().UTC())
	after := s.disk
	s.mu.Unlock()
	switch { // a line for each change, however often it is tried
	case before.OK() && !after.OK():
		s.logger.Warn("the cache folder cannot be written; going on from memory, and trying again with each pull", "error", err)
	case after.OK() && !before.OK():
		s.logger.Info("the cache folder can be written again")
	}
}

// Disk says how the disk is doing.
func (s *Syncer) Disk() domain.CacheState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk
}

// tryDisk tries again what failed before: to keep what is in memory alone, or
// whether anything can be kept.
func (s *Syncer) tryDisk(f *follower) {
	f.keeping.Lock()
	defer f.keeping.Unlock()
	if held := f.get(); held.Unkept != nil {
		f.set(s.save(held))
	} else if !s.Disk().OK() {
		s.CheckDisk()
	}
}
