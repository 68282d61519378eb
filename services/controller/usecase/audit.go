package usecase

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
)

// A Journal keeps the audit. Its errors wrap ErrUnavailable or ErrStorageFull.
type Journal interface {
	// AppendEntries keeps entries that nothing else is kept with.
	AppendEntries(ctx context.Context, entries []domain.Entry) error
	// Entries returns the entries before that number, newest first, or all if it
	// is 0, and where the chain ends.
	Entries(ctx context.Context, before int64, limit int) ([]domain.Entry, domain.AuditHead, error)
}

// Bounds of what the audit is told beside what is kept with it. A flood of
// refusals is counted; it must not fill the disk.
const (
	tellEvery  = time.Second
	maxUntold  = 1_000
	tellBurst  = 1_000
	tellPerSec = 10
)

// Audit tells what was refused. What was done is told by the store, in the very
// transaction that keeps it. Refusals that are alike and come within a second are
// one entry.
type Audit struct {
	journal Journal
	logger  *slog.Logger

	mu        sync.Mutex
	untold    []*refusal // in the order in which they came
	alike     map[domain.Entry]*refusal
	left      int // how many were not noted, for want of room
	allowance float64
	filled    time.Time
	failing   bool
}

type refusal struct {
	domain.Entry
	times int
}

// NewAudit returns the audit that a journal keeps.
func NewAudit(journal Journal, logger *slog.Logger) *Audit {
	return &Audit{journal: journal, logger: logger, alike: map[domain.Entry]*refusal{}, allowance: tellBurst, filled: time.Now()}
}

// Refused notes a refusal. It is on disk about a second later.
func (a *Audit) Refused(e domain.Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := e
	key.At = time.Time{}
	if known, ok := a.alike[key]; ok {
		known.times++
		return
	}
	now := time.Now()
	a.allowance = min(tellBurst, a.allowance+tellPerSec*now.Sub(a.filled).Seconds())
	a.filled = now
	if len(a.untold) >= maxUntold || a.allowance < 1 {
		a.left++
		return
	}
	a.allowance--
	noted := &refusal{Entry: e, times: 1}
	a.untold, a.alike[key] = append(a.untold, noted), noted
}

// Told keeps an entry of what is not kept itself, and so has no transaction.
func (a *Audit) Told(ctx context.Context, e domain.Entry) error {
	return a.journal.AppendEntries(ctx, []domain.Entry{e})
}

// Run tells what was refused until ctx ends, and then what is left of it.
func (a *Audit) Run(ctx context.Context) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = a.tell(context.WithoutCancel(ctx)) // which logs why it could not
			return
		case <-tick.C:
			_ = a.tell(ctx)
		}
	}
}

// tell keeps what is untold, or leaves it to the next time.
func (a *Audit) tell(ctx context.Context) error {
	a.mu.Lock()
	untold, left := a.untold, a.left
	a.untold, a.left = nil, 0
	clear(a.alike)
	a.mu.Unlock()
	if len(untold) == 0 && left == 0 {
		return nil
	}
	entries := make([]domain.Entry, 0, len(untold)+1)
	for _, noted := range untold {
		if noted.times > 1 {
			noted.Detail += fmt.Sprintf(" (%d times)", noted.times)
			noted.times = 1
		}
		entries = append(entries, noted.Entry)
	}
	if left > 0 {
		entries = append(entries, domain.Entry{
			At: time.Now(), Actor: domain.Actor{Name: "herald"}, Action: "refusals", Outcome: "counted",
			Detail: fmt.Sprintf("%d more than could be told one by one", left),
		})
	}
	err := a.journal.AppendEntries(ctx, entries)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.untold, a.left = append(untold, a.untold...), a.left+left
		if !a.failing {
			a.logger.Error("the audit cannot be kept; will try again", "error", err)
		}
	}
	a.failing = err != nil
	return err
}

// Entries returns a page of the audit, as Journal does, with all that was refused
// until now.
func (a *Audit) Entries(ctx context.Context, before int64, limit int) ([]domain.Entry, domain.AuditHead, error) {
	if err := a.tell(ctx); err != nil {
		return nil, domain.AuditHead{}, err
	}
	return a.journal.Entries(ctx, before, limit)
}
