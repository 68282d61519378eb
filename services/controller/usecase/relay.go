package usecase

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/shared/config"
)

// An Outbox holds what is committed and not yet announced. Its errors wrap
// ErrUnavailable or ErrStorageFull.
type Outbox interface {
	// Pending returns the oldest announcements behind the given ID, in order.
	Pending(ctx context.Context, after int64, limit int) ([]Announcement, error)
	// Drop forgets all announcements up to and including that ID.
	Drop(ctx context.Context, upTo int64) error
}

// An Announcement is a row of the outbox: this revision is to be announced.
type Announcement struct {
	ID        int64
	Namespace config.Name
	config.Position
}

// A Publisher tells facts to who listens.
type Publisher interface {
	// Publish fails with any error while the bus is away.
	Publish(ctx context.Context, e events.Event) error
}

// Snapshots has the newest snapshot of each namespace.
type Snapshots interface {
	// Latest is as with Configs.
	Latest(ctx context.Context, namespace config.Name) (*config.Snapshot, <-chan struct{}, error)
}

// How the relay works. dropEvery bounds how much is announced again after a
// crash, and keeps a commit from costing the disk a second write of its own.
const (
	relayBatch = 1000
	dropEvery  = time.Second
	relayFloor = 100 * time.Millisecond
	relayCap   = 5 * time.Second
	lastWords  = 2 * time.Second
)

// A Relay announces what the outbox holds: in order, at least once, and of each
// namespace no more than the newest revision.
type Relay struct {
	outbox    Outbox
	publisher Publisher
	snapshots Snapshots
	spread    time.Duration
	logger    *slog.Logger

	woken   chan struct{}
	healed  chan struct{}
	pending atomic.Int64
	told    int64 // the newest ID that is announced
	dropped int64 // the newest ID that is announced and forgotten
	fails   int   // in a row
}

// NewRelay returns a relay. spread is the upper end of the random wait that an
// announcement asks of its readers.
func NewRelay(outbox Outbox, publisher Publisher, snapshots Snapshots, spread time.Duration, logger *slog.Logger) *Relay {
	return &Relay{
		outbox: outbox, publisher: publisher, snapshots: snapshots, spread: spread, logger: logger,
		woken: make(chan struct{}, 1), healed: make(chan struct{}, 1),
	}
}

// Wake tells the relay that there is something in the outbox. It never blocks.
func (r *Relay) Wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// Healed tells the relay that the bus is there again, so that a backoff need not
// end first. It never blocks.
func (r *Relay) Healed() {
	select {
	case r.healed <- struct{}{}:
	default:
	}
}

// Pending is how many commits are waiting to be announced, as far as was read.
func (r *Relay) Pending() int { return int(r.pending.Load()) }

// Run announces until ctx ends; then it makes a last attempt, of two seconds at
// most.
func (r *Relay) Run(ctx context.Context) {
	tick := time.NewTicker(dropEvery)
	defer tick.Stop()
	retry := time.NewTimer(0) // what an earlier run left
	defer retry.Stop()
	for {
		woken := r.woken
		if r.fails > 0 {
			woken = nil // news does not cut a backoff short
		}
		select {
		case <-ctx.Done():
			r.finish(context.WithoutCancel(ctx))
			return
		case <-woken:
			r.announce(ctx)
		case <-r.healed:
			r.announce(ctx)
		case <-retry.C:
			r.announce(ctx)
		case <-tick.C:
			r.drop(ctx)
			continue
		}
		if r.fails > 0 {
			retry.Reset(backoff(r.fails))
		}
	}
}

func backoff(fails int) time.Duration {
	most := min(relayCap, relayFloor<<min(fails, 10))
	return relayFloor/2 + rand.N(most)
}

// finish announces and forgets what is left, if the bus was there just now.
func (r *Relay) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	if r.fails == 0 {
		r.announce(ctx)
	}
	r.drop(ctx)
}

// announce publishes all that is in the outbox, or as much as the bus takes.
func (r *Relay) announce(ctx context.Context) {
	for ctx.Err() == nil {
		rows, err := r.outbox.Pending(ctx, r.told, relayBatch)
		if err == nil {
			r.pending.Store(int64(len(rows)))
			err = r.publish(ctx, rows)
		}
		if err != nil {
			r.failed(ctx, err)
			return
		}
		if r.fails > 0 {
			r.logger.Info("announcements are taken again")
		}
		r.fails = 0
		r.pending.Store(0)
		if len(rows) < relayBatch {
			return
		}
	}
}

func (r *Relay) failed(ctx context.Context, err error) {
	if r.fails++; r.fails == 1 && ctx.Err() == nil {
		r.logger.Warn("cannot announce commits; they are kept and announced later", "error", err)
	}
}

// publish tells of each namespace in the rows its newest revision, where its last
// row stands.
func (r *Relay) publish(ctx context.Context, rows []Announcement) error {
	newest := map[config.Name]int64{}
	for _, row := range rows {
		newest[row.Namespace] = row.ID
	}
	for i, row := range rows {
		if newest[row.Namespace] == row.ID {
			if err := r.publisher.Publish(ctx, r.event(ctx, row)); err != nil {
				return err
			}
		}
		r.told = row.ID
		r.pending.Store(int64(len(rows) - i - 1))
	}
	return nil
}

func (r *Relay) event(ctx context.Context, row Announcement) events.ConfigChanged {
	e := events.ConfigChanged{
		Namespace: row.Namespace, Revision: row.Revision, Epoch: row.Epoch,
		SpreadMS: r.spread.Milliseconds(), PublishedAt: time.Now().UTC(),
	}
	if latest, _, err := r.snapshots.Latest(ctx, row.Namespace); err == nil && latest.Compare(row.Position) >= 0 {
		e.Revision, e.Epoch, e.ETag = latest.Revision, latest.Epoch, latest.ETag
	}
	return e
}

// drop forgets what was announced. If that fails it is announced once more after
// the next start, which harms nobody.
func (r *Relay) drop(ctx context.Context) {
	if r.told == r.dropped {
		return
	}
	if err := r.outbox.Drop(ctx, r.told); err != nil {
		r.logger.Warn("cannot clear the outbox", "error", err)
		return
	}
	r.dropped = r.told
}
