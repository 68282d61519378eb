package pull

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A bell coalesces nudges: however often it is rung, one pull answers.
type bell struct {
	mu      sync.Mutex
	held    config.Position
	pending *Nudge
	due     time.Time
	rung    chan struct{}
}

func (b *bell) open(have *config.Snapshot) {
	b.init()
	if have != nil {
		b.have(have.Position)
	}
}

func (b *bell) init() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{}, 1)
	}
	return b.rung
}

// ring remembers a nudge, unless it is about something that is held. Of several
// the earliest is due, and the newest position is what is asked for.
func (b *bell) ring(n Nudge) {
	rung := b.init()
	due := time.Now().Add(upTo(n.Spread))
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.lacks(n.Position) {
		return
	}
	if b.pending == nil {
		b.pending, b.due = &n, due
	} else {
		if b.pending.Position.Revision > 0 && n.Position.Compare(b.pending.Position) > 0 || n.Position.Revision == 0 {
			b.pending.Position = n.Position
		}
		if due.Before(b.due) {
			b.due = due
		}
	}
	select {
	case rung <- struct{}{}:
	default:
	}
}

// lacks reports whether a nudge is about something that is not held. One without
// an epoch, as scripts send it, speaks of the epoch that is held.
func (b *bell) lacks(p config.Position) bool {
	if p.Revision == 0 {
		return true
	}
	if p.Epoch == "" {
		p.Epoch = b.held.Epoch
	}
	return p.Compare(b.held) > 0
}

// wants reports whether a position is not held.
func (b *bell) wants(p config.Position) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lacks(p)
}

// have says what is held now; a nudge about it is answered.
func (b *bell) have(p config.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = p
	if b.pending != nil && !b.lacks(b.pending.Position) {
		b.pending = nil
	}
}

// answer takes the nudge that a pull is about to answer, or nil.
func (b *bell) answer() *Nudge {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.pending
	b.pending = nil
	return n
}

// wait returns true once a nudge is due, false after a while or when ctx ends.
// The nudge stays until it is answered.
func (b *bell) wait(ctx context.Context, while time.Duration) bool {
	until := time.NewTimer(while)
	defer until.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		pending, left := b.left()
		if pending && left <= 0 {
			return true
		}
		if pending {
			due.Reset(left)
		}
		select {
		case <-ctx.Done():
			return false
		case <-until.C:
			return false
		case <-b.rung:
		case <-due.C:
		}
	}
}

func (b *bell) left() (pending bool, left time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pending != nil, time.Until(b.due)
}

// Backoff is the pause after the n-th failure in a row, n from 0: full jitter
// below 0.5 s · 2ⁿ, and below twice the poll interval within 5 to 60 s, so that
// a failing fleet asks no more often than a healthy one.
func Backoff(n int, interval time.Duration) time.Duration {
	most := min(max(2*interval, 5*time.Second), time.Minute)
	return upTo(min(most, 500*time.Millisecond<<min(n, 10)))
}

// jitter is the interval ±20 %.
func jitter(interval time.Duration) time.Duration {
	return interval - interval/5 + upTo(interval*2/5)
}

// phase is a share of the interval that belongs to an identity.
func phase(identity string, interval time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(identity)) // a hash does not fail
	return time.Duration(float64(interval) * (float64(h.Sum32()) / (1 << 32)))
}

// upTo is a random duration below d.
func upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d) //nolint:gosec // spreading load is no secret
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
