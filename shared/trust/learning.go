package trust

import (
	"context"
	"fmt"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// first pins the keys that come with the first signed snapshot. What is not signed
// passes as long as nothing is: there is nobody yet whose word could be missing.
func (t *Trust) first(ctx context.Context, s *config.Snapshot) error {
	if !s.Signature.Signed() {
		if !t.unsigned {
			t.logger.Warn("what upstream serves is not signed; no key is pinned yet", "namespace", s.Namespace)
		}
		t.unsigned = true
		return nil
	}
	offered, err := t.learn(ctx)
	if err != nil {
		return fmt.Errorf("%w %s, and upstream's keys cannot be had: %w", config.ErrUnknownKey, s.Signature.KeyID, err)
	}
	if err := offered.Chained(); err != nil {
		return fmt.Errorf("%w: upstream's keys are no chain: %w", config.ErrSignature, err)
	}
	if err := s.Verify(offered); err != nil {
		return err
	}
	t.become(offered)
	t.logger.Info("signing keys are pinned: from now on only these count, and those that they vouch for", "key", offered[0].ID, "keys", len(offered))
	return nil
}

// follow learns newer keys from upstream, and counts those that known ones vouch for.
func (t *Trust) follow(ctx context.Context, s *config.Snapshot, known config.Keys) error {
	offered, err := t.learn(ctx)
	if err != nil {
		return fmt.Errorf("%w %s, and upstream's keys cannot be had: %w", config.ErrUnknownKey, s.Signature.KeyID, err)
	}
	grown, err := t.extend(known, offered)
	if err != nil {
		return fmt.Errorf("%w: %w", config.ErrSignature, err)
	}
	if err := s.Verify(grown); err != nil {
		return fmt.Errorf("%w; none of the keys that count vouches for it", err)
	}
	return nil
}

// extend counts those of the offered keys that known ones vouch for.
func (t *Trust) extend(known, offered config.Keys) (config.Keys, error) {
	grown, err := known.Extend(offered)
	if err != nil || len(grown) == len(known) {
		return known, err
	}
	t.become(grown)
	t.logger.Info("a newer signing key counts, which a known one vouches for", "key", grown[0].ID, "signed_by", grown[0].SignedBy)
	return grown, nil
}

// learn asks upstream for its keys, once a second at most as long as that
// brings nothing.
func (t *Trust) learn(ctx context.Context) (config.Keys, error) {
	if !t.asked.IsZero() && time.Since(t.asked) < askEvery {
		return t.answer, t.failure
	}
	t.answer, t.failure = t.ask(ctx)
	if ctx.Err() == nil { // who went away says nothing of upstream
		t.asked = time.Now()
	}
	return t.answer, t.failure
}

// become counts these keys from now on, and keeps them. A disk that fails makes
// nobody believe others: it is tried again.
func (t *Trust) become(keys config.Keys) {
	t.mu.Lock()
	t.known = keys
	t.mu.Unlock()
	t.asked = time.Time{} // what was asked was worth it
	t.unsaved, t.saved = true, time.Time{}
	t.saveAgain()
}

func (t *Trust) saveAgain() {
	if !t.unsaved || t.folder == nil || (!t.saved.IsZero() && time.Since(t.saved) < saveEvery) {
		return
	}
	err := t.folder.WriteFile(t.file(), t.current().Encode())
	if err != nil && t.saved.IsZero() {
		t.logger.Warn("signing keys are not kept on disk; trying again", "file", t.file(), "error", err)
	}
	t.unsaved, t.saved = err != nil, time.Now()
}

// current returns what is passed on: the keys that count, or what upstream lists.
func (t *Trust) current() config.Keys {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.known) > 0 {
		return t.known
	}
	return t.passed
}
