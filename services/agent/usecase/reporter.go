package usecase

import (
	"cmp"
	"context"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

const (
	// maxReports bounds how much is kept for a controller that cannot be reached.
	maxReports = 10_000
	// maxBatch is how many reports go in one request.
	maxBatch = 1000
	// maxSaid bounds how much is remembered of what was said before. Beyond it all
	// counts as news once more.
	maxSaid = 4 * maxReports
	// lazily is how long a repetition waits for company at most where nobody says
	// how often to poll; otherwise it is a quarter of the poll interval, so that a
	// worker is not taken for lost, which is after five.
	lazily = 15 * time.Second / 4
)

// A Reporter hands reports upward until they are heard: each verdict, in the order in
// which its worker made them, and what is the newest of all else. An outage costs a
// bounded room. News go at once, though not in more requests than a domain.Pace
// allows; signs of life, which say what was said before, wait for each other.
type Reporter struct {
	controller Controller
	interval   func() time.Duration
	logger     *slog.Logger
	pace       domain.Pace // of Run alone
	memory     memory

	mu      sync.Mutex
	backlog backlog
	flying  []config.Verdict      // on their way upward
	unkept  unkept                // news that is neither heard nor in the memory
	dropped int                   // verdicts, for want of room, since the Reporter was made
	said    map[standingOf]uint64 // a hash of what was taken over last
	due     time.Time             // when what there is is to go; zero for nothing
	wake    chan struct{}
}

// seed is for the hashes of what was said.
var seed = maphash.MakeSeed()

// NewReporter returns a Reporter that has nothing to report yet. interval is how
// often who stands above expects to hear, 0 where that is not known.
func NewReporter(controller Controller, interval func() time.Duration, logger *slog.Logger) *Reporter {
	return &Reporter{
		controller: controller, interval: interval, logger: logger, backlog: newBacklog(),
		said: map[standingOf]uint64{}, wake: make(chan struct{}, 1), unkept: newUnkept(),
	}
}

// Add takes reports over. It returns at once.
func (r *Reporter) Add(reports config.Reports) {
	quarter := cmp.Or(r.interval()/4, lazily)
	r.mu.Lock()
	defer r.mu.Unlock()
	news := len(reports.Stopped) > 0
	for _, v := range reports.Applied {
		if r.keep(r.backlog.addApplied(v)) && r.isNews(v) {
			news = true
			r.unkept.add()
		}
	}
	for _, s := range reports.Stopped {
		if r.backlog.addStopped(s) {
			delete(r.said, stoppedOf(s))
		}
	}
	for _, f := range reports.Fetched {
		r.backlog.addFetched(f)
		r.note(fetchedOf(f), 0) // it always goes at once
		news = true
	}
	if news {
		r.send(time.Now())
	} else if reports.Len() > 0 {
		r.send(time.Now().Add(quarter))
	}
}

// keep tells of the verdict that had to go for another one, and returns whether that
// one was taken. r.mu is held.
func (r *Reporter) keep(taken bool, dropped *config.Verdict) bool {
	if dropped != nil {
		if r.dropped++; r.dropped == 1 {
			r.logger.Warn("too many verdicts that nobody hears; some are dropped, those that were applied first",
				"worker", dropped.Worker, "namespace", dropped.Namespace, "revision", dropped.Revision)
		}
	}
	return taken
}

// Backlog is how many verdicts wait to be heard, and how many were dropped for want of
// room.
func (r *Reporter) Backlog() (waiting, dropped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.backlog.verdicts, r.dropped
}

// isNews notes a verdict, and reports whether the one before it said something
// else. r.mu is held.
func (r *Reporter) isNews(v config.Verdict) bool {
	key := standingOf{v.Worker, v.Namespace}
	v.At, v.TookMS = time.Time{}, 0
	return r.note(key, maphash.Comparable(seed, v))
}

// note remembers what was said, and reports whether it is news. r.mu is held.
func (r *Reporter) note(key standingOf, hash uint64) bool {
	before, ok := r.said[key]
	if !ok && len(r.said) >= maxSaid {
		clear(r.said)
	}
	r.said[key] = hash
	return !ok || before != hash
}

// many is how many are reported of.
func (r *Reporter) many() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.said)
}

// send sees to it that what there is goes by then. r.mu is held.
func (r *Reporter) send(by time.Time) {
	if !r.due.IsZero() && !by.Before(r.due) {
		return
	}
	r.due = by
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Goodbye hands upward what is left, and that the agent stops. It is called after
// Run, and waits a second at most.
func (r *Reporter) Goodbye(ctx context.Context, agent string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	r.Add(config.Reports{Stopped: []config.Stopped{{Agent: agent, At: time.Now().UTC()}}})
	err := r.flush(ctx)
	r.remember()
	if err != nil {
		r.logger.Info("goodbye not heard; the controller will miss this agent by itself", "error", err)
	}
}

// Run reports until ctx ends, and then once more what is left.
func (r *Reporter) Run(ctx context.Context) {
	var keeping sync.WaitGroup
	keeping.Go(func() { r.keepUnheard(ctx) })
	defer keeping.Wait()
	failures := 0
	for r.await(ctx) {
		r.pace = r.pace.Sent(time.Now(), r.many())
		if err := r.flush(ctx); err != nil && ctx.Err() == nil {
			if failures == 0 {
				r.logger.Warn("reports not heard; they are kept and sent again", "error", err)
			}
			failures++
			pause(ctx, time.Second/2+rand.N(time.Second<<min(failures, 5))) //nolint:gosec // spreading load is no secret
			continue
		}
		failures = 0
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = r.flush(last) // a worker repeats itself
}

// await returns true once something is to go, and false once ctx ends.
func (r *Reporter) await(ctx context.Context) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		r.mu.Lock()
		due := r.due
		r.mu.Unlock()
		now := time.Now()
		at := r.pace.Next(now)
		if due.After(at) {
			at = due
		}
		var then <-chan time.Time
		if !due.IsZero() {
			if !at.After(now) {
				return true
			}
			timer.Reset(at.Sub(now))
			then = timer.C
		}
		select {
		case <-r.wake:
		case <-then:
		case <-ctx.Done():
		}
	}
	return false
}

// flush sends what there is; what fails is put back, for what else came meanwhile to follow it.
func (r *Reporter) flush(ctx context.Context) error {
	for {
		batch := r.take()
		if batch.Len() == 0 {
			return nil
		}
		if err := r.controller.Report(ctx, batch); err != nil {
			r.putBack(batch)
			return err
		}
		if r.arrived(batch) {
			return nil // what came meanwhile keeps the pace
		}
	}
}

// take takes what goes in one request.
func (r *Reporter) take() config.Reports {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := r.backlog.take(maxBatch)
	if batch.Len() < maxBatch {
		r.due = time.Time{} // nothing is left
	}
	r.flying = batch.Applied
	r.unkept.depart()
	return batch
}

// arrived is called once a batch was heard, and reports whether it was all there was.
func (r *Reporter) arrived(batch config.Reports) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flying = nil
	if batch.Len() == maxBatch {
		return false
	}
	r.unkept.arrive()
	return true
}

// putBack keeps what was not heard, for the next request.
func (r *Reporter) putBack(batch config.Reports) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(time.Now())
	r.flying = nil
	r.unkept.stir()
	for _, v := range batch.Applied {
		r.keep(r.backlog.restoreApplied(v))
	}
	for _, s := range batch.Stopped {
		r.backlog.addStopped(s)
	}
	for _, f := range batch.Fetched {
		r.backlog.restoreFetched(f)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
