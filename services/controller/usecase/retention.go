package usecase

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// An Attic is where the history lies. Its errors wrap domain.ErrNotFound for a
// namespace that is not written, ErrUnavailable or ErrStorageFull.
type Attic interface {
	// Retained returns the namespaces that do not keep everything.
	Retained(ctx context.Context) (map[config.Name]domain.Retention, error)
	// Compactable returns what a compaction would drop.
	Compactable(ctx context.Context, namespace config.Name, keep domain.Retention, at time.Time) (domain.Compaction, error)
	// Compact drops so much of it as a transaction may take, with the audit of who did
	// it, and says whether more is left.
	Compact(ctx context.Context, namespace config.Name, keep domain.Retention, by domain.Actor, at time.Time) (did domain.Compaction, more bool, err error)
}

// How the history is compacted by itself: a little after the start, and then
// hourly; writers come in between any two transactions.
const (
	compactFirst = time.Minute
	compactEvery = time.Hour
	compactPause = 50 * time.Millisecond
)

// ByItself is who compacts by a namespace's retention.
var ByItself = domain.Actor{Name: "herald"}

// Retention drops documents from the history that nobody has to keep any more.
type Retention struct {
	attic     Attic
	logger    *slog.Logger
	documents atomic.Int64
	bytes     atomic.Int64
}

// NewRetention returns what compacts that history.
func NewRetention(attic Attic, logger *slog.Logger) *Retention {
	return &Retention{attic: attic, logger: logger}
}

// Dropped is how many documents were dropped since the start, and their bytes.
func (r *Retention) Dropped() (documents, bytes int64) { return r.documents.Load(), r.bytes.Load() }

// Preview returns what Compact would drop.
func (r *Retention) Preview(ctx context.Context, namespace config.Name, keep domain.Retention) (domain.Compaction, error) {
	return r.attic.Compactable(ctx, namespace, keep, time.Now())
}

// Compact drops what the retention does not keep. What was dropped before an error
// stays dropped, and is in the audit.
func (r *Retention) Compact(ctx context.Context, namespace config.Name, keep domain.Retention, by domain.Actor) (domain.Compaction, error) {
	all, at := domain.Compaction{Namespace: namespace}, time.Now()
	for more := true; more; {
		var did domain.Compaction
		var err error
		if did, more, err = r.attic.Compact(ctx, namespace, keep, by, at); err != nil {
			return all, err
		}
		all.Join(did)
		r.note(did, by)
		if more && !pause(ctx, compactPause) {
			return all, ctx.Err()
		}
	}
	return all, nil
}

func (r *Retention) note(did domain.Compaction, by domain.Actor) {
	if did.Documents == 0 {
		return
	}
	r.documents.Add(int64(did.Documents))
	r.bytes.Add(did.Bytes)
	r.logger.Info("documents were dropped from the history", "namespace", did.Namespace,
		"documents", did.Documents, "bytes", did.Bytes, "kept_from", did.KeptFrom, "actor", by.Name)
}

// pause waits, and reports whether ctx lives on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Run compacts each namespace by its own retention, hourly, until ctx ends.
func (r *Retention) Run(ctx context.Context) {
	for wait := compactFirst; pause(ctx, wait); wait = compactEvery {
		retained, err := r.attic.Retained(ctx)
		if err != nil {
			r.failed(ctx, "", err)
		}
		for namespace, keep := range retained {
			if _, err := r.Compact(ctx, namespace, keep, ByItself); err != nil {
				r.failed(ctx, namespace, err)
			}
		}
	}
}

func (r *Retention) failed(ctx context.Context, namespace config.Name, err error) {
	if ctx.Err() == nil && !errors.Is(err, domain.ErrNotFound) {
		r.logger.Warn("cannot compact the history; will try again in an hour", "namespace", namespace, "error", err)
	}
}
