package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/pull"
)

// fetch asks the addresses for a namespace. A request that one of the later ones
// holds is held no longer than until an earlier one is to be probed, and what is
// left of the time is spent where that led.
func (u *Upstream) fetch(ctx context.Context, q pull.Request) (pull.Answer, *line, error) {
	until := time.Now().Add(q.Wait)
	for {
		r := u.round(ctx, q)
		left := time.Until(until)
		if r.err != nil || r.answer.Snapshot != nil || !r.short || left < time.Second/2 || ctx.Err() != nil {
			return r.answer, r.from, r.err
		}
		q.Wait = max(time.Second, left.Round(time.Second))
	}
}

// A result is what came of asking the addresses once.
type result struct {
	answer pull.Answer
	err    error
	from   *line
	short  bool // it was not held for as long as was asked for
}

// round asks the addresses in order until one has an answer that no other could
// better.
func (u *Upstream) round(ctx context.Context, q pull.Request) result {
	var second result // what is returned if nobody has better
	var errs []error
	for i := range u.lines.all {
		c, ok := u.lines.admit(i, q.Namespace, time.Now())
		if !ok {
			continue
		}
		r, behind := u.ask(ctx, c, q, u.holdFor(i, c, q))
		if ctx.Err() != nil || (behind == nil && (r.err == nil || answered(r.err))) {
			return r
		}
		if second.from == nil || (second.err != nil && r.err == nil) {
			second = r
		}
		if r.err != nil {
			errs = append(errs, r.err)
		}
	}
	if second.from == nil {
		return u.insist(ctx, q)
	}
	if second.err != nil && len(errs) > 1 {
		second.err = errors.Join(errs...)
	}
	return second
}

// insist asks where no circuit admits a request, so that a fleet is current soon
// after an outage; how often is the puller's to say.
func (u *Upstream) insist(ctx context.Context, q pull.Request) result {
	c, wait := u.lines.insist(q.Namespace, time.Now())
	if wait > 0 {
		return result{err: comeAgain(wait)}
	}
	r, _ := u.ask(ctx, c, q, q.Wait)
	return r
}

func comeAgain(wait time.Duration) error {
	return &pull.Refusal{
		Status: http.StatusServiceUnavailable, Detail: "upstream asked to be left alone for a while", RetryAfter: wait,
	}
}

// holdFor is how long the i-th address may hold a request: not at all for a probe.
func (u *Upstream) holdFor(i int, c call, q pull.Request) time.Duration {
	if c.probe {
		return 0
	}
	due := u.lines.due(i, q.Namespace, time.Now())
	return min(q.Wait, max(time.Second, (due+time.Second-1).Truncate(time.Second)))
}

// ask asks one address. behind is why another one may have better.
func (u *Upstream) ask(ctx context.Context, c call, q pull.Request, wait time.Duration) (r result, behind error) {
	asked := q.Wait
	q.Wait = wait
	answer, err := c.client.Fetch(ctx, q)
	if err != nil && ctx.Err() != nil {
		u.lines.abandon(c, time.Now())
		return result{err: err, from: c.line}, nil //nolint:nilerr // the result has it; nobody else may have better
	}
	if loop := domain.CheckPath(answer.Via, u.options.ID); loop != nil {
		err = fmt.Errorf("upstream %s: %w", c.client.Base, loop)
		answer.Snapshot = nil
	}
	reached := err
	switch {
	case err != nil && answered(err):
		reached = nil
	case err != nil && unready(answer, err):
		reached, behind = nil, err
	case err == nil && len(u.lines.all) > 1:
		behind = lags(answer, q)
	}
	u.lines.observe(c, answer, reached, behind, time.Now())
	return result{answer: answer, err: err, from: c.line, short: wait < asked}, behind
}

// unready reports whether a relay says of one namespace that it has nothing yet:
// no fault of the relay's, and no reason to ask it for nothing else.
func unready(answer pull.Answer, err error) bool {
	refusal, ok := errors.AsType[*pull.Refusal](err)
	return ok && answer.Agent != "" && refusal.Status == http.StatusServiceUnavailable
}

// lags returns an error that wraps domain.ErrBehind for an answer that another
// address may better: it is older than what is held, or it is what is held, from
// an agent that cannot confirm it.
func lags(answer pull.Answer, q pull.Request) error {
	switch {
	case answer.Snapshot != nil && answer.Snapshot.Position.Compare(q.At) < 0:
		return fmt.Errorf("%w: %s at %d, held is %d", domain.ErrBehind, q.Namespace, answer.Snapshot.Revision, q.At.Revision)
	case answer.Snapshot == nil && answer.Stale:
		return fmt.Errorf("%w: %s cannot be confirmed there", domain.ErrBehind, q.Namespace)
	}
	return nil
}
