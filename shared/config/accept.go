package config

import (
	"errors"
	"fmt"
)

// Why a snapshot may not follow the one that is held.
var (
	ErrOlder    = errors.New("older than what is held")
	ErrVanished = errors.New("a config vanished without a tombstone")
)

// Succeeds returns nil if a holder of held may go over to s. held is nil for
// somebody who holds nothing. Otherwise the error wraps ErrOlder or
// ErrVanished.
//
// In one epoch a namespace only moves forward, and only a tombstone takes a
// config away. A later epoch begins anew: it follows a restore from backup, and
// what it lacks the backup lacked. What an operator accepted may lack anything, but
// is not to be older.
func (s *Snapshot) Succeeds(held *Snapshot) error {
	if held == nil {
		return nil
	}
	switch order := s.Position.Compare(held.Position); {
	case order < 0:
		return fmt.Errorf("%w: %s at %d, held is %d", ErrOlder, s.Namespace, s.Revision, held.Revision)
	case s.Epoch != held.Epoch, s.Accepted:
		return nil
	}
	for _, e := range held.Configs {
		if _, stands := s.Config(e.Name); !stands && !s.Deleted(e.Name) {
			return fmt.Errorf("%w: %s/%s between %d and %d", ErrVanished, s.Namespace, e.Name, held.Revision, s.Revision)
		}
	}
	return nil
}
