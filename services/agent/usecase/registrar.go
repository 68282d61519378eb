package usecase

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// registerEvery is how often an agent that pulls registers again: what it is may
// have changed, and what it is assigned.
const registerEvery = time.Minute

// restStep is how often who waits to register, or to tell who lives, looks whether
// that is due sooner.
const restStep = time.Second

// A Registrar tells the controller who the agent is, and follows what it assigns.
type Registrar struct {
	Controller Controller
	Syncer     *Syncer
	Reporter   *Reporter
	Profile    domain.Profile
	Logger     *slog.Logger
}

// Run registers until ctx ends.
func (r *Registrar) Run(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		interval, err := r.register(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			r.Logger.Warn("not registered; pulling goes on", "error", err)
		}
		if failing && err == nil {
			r.Logger.Info("registered", "interval", interval)
		}
		failing = err != nil
		next := r.next(interval)
		if errors.Is(err, domain.ErrAbsent) {
			next = registerEvery // an agent above hands on what it is told, and registers itself
		}
		r.rest(ctx, next-next/5+rand.N(next*2/5)) //nolint:gosec // spreading load is no secret
	}
}

// rest waits until the next registration, which is due within a poll interval once
// something is withheld: an operator may let it through.
func (r *Registrar) rest(ctx context.Context, next time.Duration) {
	for began := time.Now(); ctx.Err() == nil; pause(ctx, restStep) {
		due := next
		if len(r.Syncer.Withheld("")) > 0 {
			due = min(next, max(r.Syncer.Interval(), restStep))
		}
		if time.Since(began) > due-restStep {
			pause(ctx, due-time.Since(began))
			return
		}
	}
}

func (r *Registrar) register(ctx context.Context) (time.Duration, error) {
	profile := r.Profile
	profile.Namespaces = r.Syncer.Followed()
	if r.Reporter != nil {
		r.Reporter.Add(config.Reports{Fetched: r.Syncer.Withheld(profile.ID)}) // again, until it is known: it may have been told to nobody
	}
	interval, assigned, err := r.Controller.Register(ctx, profile)
	if err != nil {
		return 0, err
	}
	r.Syncer.SetInterval(interval)
	for _, namespace := range assigned {
		if _, err := config.ParseName(string(namespace)); err != nil {
			continue
		}
		if err := r.Syncer.Follow(namespace); err != nil {
			r.Logger.Warn("cannot follow what is assigned", "namespace", namespace, "error", err)
		}
	}
	return interval, nil
}

// next is the time until the agent registers again. One that follows nothing does
// not pull, and is seen by its registrations alone.
func (r *Registrar) next(interval time.Duration) time.Duration {
	switch {
	case interval <= 0:
		return min(registerEvery, 5*time.Second)
	case len(r.Syncer.Followed()) == 0:
		return min(registerEvery, interval)
	}
	return registerEvery
}
