package usecase

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A SigningKey is the controller's key and the chain that leads to it.
type SigningKey interface {
	// Sign returns the newest key's signature of a snapshot.
	Sign(s *config.Snapshot) config.Signature
	// Keys returns the chain of public keys, newest first.
	Keys() config.Keys
	// Rotate replaces the key by a new one, which the former one signs, and returns
	// the chain. Its error wraps ErrUnavailable.
	Rotate(at time.Time) (config.Keys, error)
}

// A Ledger keeps what was signed. Its errors wrap ErrUnavailable or ErrStorageFull.
type Ledger interface {
	// KeepSignature keeps the signature of a snapshot, as long as that is the newest.
	KeepSignature(ctx context.Context, snapshot *config.Snapshot) error
	// Record keeps the audit's entry of what do does, or returns the error of do.
	Record(ctx context.Context, do func() (domain.Entry, error)) error
	// Targets returns what the audit was told that the action was done to.
	Targets(ctx context.Context, action string) ([]string, error)
}

// Signing vouches for snapshots: once for each, when its revision is made.
type Signing struct {
	key    SigningKey
	ledger Ledger
	logger *slog.Logger
}

// NewSigning returns the signing with that key.
func NewSigning(key SigningKey, ledger Ledger, logger *slog.Logger) *Signing {
	return &Signing{key: key, ledger: ledger, logger: logger}
}

// Keys returns the chain of public keys, newest first.
func (s *Signing) Keys() config.Keys { return s.key.Keys() }

// sign signs the snapshot of a commit; the commit keeps the signature.
func (s *Signing) sign(snapshot *config.Snapshot) config.Signature {
	if s == nil {
		return config.Signature{}
	}
	return s.key.Sign(snapshot)
}

// vouch sees to it that a snapshot that was read from the store is signed. One
// that was written before there were signatures, or by a controller with another
// key, is signed now, and that is kept. Where it cannot be kept it counts all the
// same: the same key signs the same again.
func (s *Signing) vouch(ctx context.Context, snapshot *config.Snapshot) {
	if s == nil || snapshot.Verify(s.key.Keys()) == nil {
		return
	}
	if snapshot.Signature.Signed() {
		s.logger.Warn("signed anew: what signed it is not in the chain of this controller's keys; agents that pinned that key refuse it",
			"namespace", snapshot.Namespace, "revision", snapshot.Revision, "signed_by", snapshot.Signature.KeyID)
	}
	snapshot.Signature = s.key.Sign(snapshot)
	if err := s.ledger.KeepSignature(ctx, snapshot); err != nil {
		s.logger.Warn("a signature is not kept; it will be made again", "namespace", snapshot.Namespace, "error", err)
	}
}

func rotation(key config.Key, by domain.Actor, at time.Time, note string) domain.Entry {
	return domain.Entry{
		At: at, Actor: by, Action: domain.ActionKeyRotate, Target: key.ID, Outcome: domain.OutcomeDone,
		Detail: "signed by " + key.SignedBy + note,
	}
}

// CatchUp tells the audit of keys that it was not told of: a process that ended
// between the key's file and the audit has left one.
func (s *Signing) CatchUp(ctx context.Context) error {
	told, err := s.ledger.Targets(ctx, domain.ActionKeyRotate)
	if err != nil {
		return err
	}
	for _, key := range slices.Backward(s.key.Keys()) {
		if key.SignedBy == "" || slices.Contains(told, key.ID) {
			continue
		}
		s.logger.Warn("the audit had not been told of a signing key, and is now", "key", key.ID, "signed_by", key.SignedBy)
		entry := rotation(key, domain.Actor{Name: "herald"}, time.Now(), "; found at a start, untold")
		if err := s.ledger.Record(ctx, func() (domain.Entry, error) { return entry, nil }); err != nil {
			return err
		}
	}
	return nil
}

// TryRotate returns the chain that Rotate would add a key to, or fails with ErrFull.
func (s *Signing) TryRotate() (config.Keys, error) {
	keys := s.key.Keys()
	if len(keys) >= config.MaxKeys {
		return nil, fmt.Errorf("%w: the chain has %d keys already", ErrFull, len(keys))
	}
	return keys, nil
}

// Rotate replaces the signing key by a new one, which the former one signs, and
// returns the chain. What was signed stays so. It fails with ErrFull, or as
// SigningKey and Ledger do.
func (s *Signing) Rotate(ctx context.Context, by domain.Actor) (config.Keys, error) {
	var keys config.Keys
	err := s.ledger.Record(ctx, func() (entry domain.Entry, err error) {
		if _, err := s.TryRotate(); err != nil {
			return domain.Entry{}, err
		}
		now := time.Now()
		if keys, err = s.key.Rotate(now); err != nil {
			return domain.Entry{}, err
		}
		return rotation(keys[0], by, now, ""), nil
	})
	if err != nil && keys != nil {
		s.logger.Error("the signing key was replaced, and the audit could not be told", "key", keys[0].ID, "error", err)
	}
	if err != nil {
		return nil, err
	}
	s.logger.Info("the signing key was replaced", "key", keys[0].ID, "signed_by", keys[0].SignedBy)
	return keys, nil
}
