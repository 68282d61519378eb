package usecase

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

const (
	// maxReports bounds how much is kept for a controller that cannot be reached.
	maxReports = 10_000
	// maxBatch is how many reports go in one request.
	maxBatch = 1000
)

// A Reporter hands reports upward until they are heard. Of each worker and
// namespace only the newest counts, so that an outage costs a bounded room.
type Reporter struct {
	controller Controller
	logger     *slog.Logger

	mu      sync.Mutex
	applied map[standingOf]config.Verdict
	fetched map[standingOf]config.Fetched
	wake    chan struct{}
}

type standingOf struct {
	who       string
	namespace config.Name
}

// NewReporter returns a Reporter that has nothing to report yet.
func NewReporter(controller Controller, logger *slog.Logger) *Reporter {
	return &Reporter{
		controller: controller, logger: logger, wake: make(chan struct{}, 1),
		applied: map[standingOf]config.Verdict{}, fetched: map[standingOf]config.Fetched{},
	}
}

// Add takes reports over. It returns at once.
func (r *Reporter) Add(reports config.Reports) {
	r.mu.Lock()
	for _, v := range reports.Applied {
		key := standingOf{v.Worker, v.Namespace}
		if old, ok := r.applied[key]; ok && v.At.Before(old.At) || !ok && len(r.applied) >= maxReports {
			continue
		}
		r.applied[key] = v
	}
	for _, f := range reports.Fetched {
		key := standingOf{f.Agent, f.Namespace}
		if _, ok := r.fetched[key]; ok || len(r.fetched) < maxReports {
			r.fetched[key] = f
		}
	}
	r.mu.Unlock()
	r.ring()
}

// Run reports until ctx ends, and then once more what is left.
func (r *Reporter) Run(ctx context.Context) {
	failures := 0
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			_ = r.flush(last) // a worker repeats itself
			return
		}
		if err := r.flush(ctx); err != nil && ctx.Err() == nil {
			if failures == 0 {
				r.logger.Warn("reports not heard; they are kept and sent again", "error", err)
			}
			failures++
			pause(ctx, time.Second/2+rand.N(time.Second<<min(failures, 5))) //nolint:gosec // spreading load is no secret
			r.ring()
			continue
		}
		failures = 0
	}
}

func (r *Reporter) ring() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// flush sends what there is; what fails is put back unless something newer came.
func (r *Reporter) flush(ctx context.Context) error {
	for {
		batch := r.take()
		if len(batch.Applied) == 0 && len(batch.Fetched) == 0 {
			return nil
		}
		if err := r.controller.Report(ctx, batch); err != nil {
			r.putBack(batch)
			return err
		}
	}
}

func (r *Reporter) take() config.Reports {
	r.mu.Lock()
	defer r.mu.Unlock()
	var batch config.Reports
	for key, v := range r.applied {
		if len(batch.Applied) == maxBatch {
			break
		}
		batch.Applied = append(batch.Applied, v)
		delete(r.applied, key)
	}
	for key, f := range r.fetched {
		if len(batch.Fetched) == maxBatch {
			break
		}
		batch.Fetched = append(batch.Fetched, f)
		delete(r.fetched, key)
	}
	return batch
}

func (r *Reporter) putBack(batch config.Reports) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range batch.Applied {
		if key := (standingOf{v.Worker, v.Namespace}); r.applied[key].Worker == "" {
			r.applied[key] = v
		}
	}
	for _, f := range batch.Fetched {
		if key := (standingOf{f.Agent, f.Namespace}); r.fetched[key].Agent == "" {
			r.fetched[key] = f
		}
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
