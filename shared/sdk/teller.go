package sdk

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

const (
	// reportTimeout bounds one report by HTTP.
	reportTimeout = 10 * time.Second
	// farewell bounds the last one, and so what it adds to the stop.
	farewell = time.Second
)

// A teller tells verdicts: each at once over the Link, else by HTTP; all that were
// not heard again until they are, in order; and the newest again by HTTP about every
// poll interval, as a sign of life. Over the Link nobody says whether what it carries
// arrives, so that what went there goes once more with the next sign of life.
type teller struct {
	about
	fresh chan struct{} // a verdict that was not told yet

	mu      sync.Mutex
	newest  config.Verdict  // revision 0 for none
	unheard config.Verdicts // by the agent; the newest is the last of them, or heard
	untold  config.Verdicts // those of them that the Link did not take either
	ran     bool            // the application ran on something
	missed  bool            // it is to be missed, since it crashed
	agent   string          // "" until it is known
	told    time.Duration   // the poll interval that the agent told
}

func newTeller(a about) *teller {
	return &teller{about: a, fresh: make(chan struct{}, 1)}
}

// tell takes a verdict over. It returns at once.
func (t *teller) tell(v config.Verdict) {
	t.mu.Lock()
	t.newest = v
	var dropped *config.Verdict
	t.unheard, _ = t.unheard.With(v)
	if t.untold, dropped = t.untold.With(v); dropped != nil {
		t.logger.Warn("too many verdicts that nobody hears; one is dropped", "revision", dropped.Revision, "status", dropped.Status)
	}
	t.ran = t.ran || v.Status == config.Applied
	t.mu.Unlock()
	select {
	case t.fresh <- struct{}{}:
	default: // one is waiting there, and will find this one
	}
}

// miss lets the fleet miss the application: there is to be no goodbye.
func (t *teller) miss() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missed = true
}

// reached notes that the agent answered, who it is, and what interval it told.
func (t *teller) reached(agent string, interval time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if agent != "" {
		t.agent = agent
	}
	if interval > 0 {
		t.told = interval
	}
}

// every is how often to give a sign of life.
func (t *teller) every() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cmp.Or(max(t.interval, 0), max(t.told, 0), pull.DefaultInterval)
}

// pending returns what there is to tell, as of the agent that is asked now: what
// nobody was told yet, what the agent has not heard, and the newest of all.
func (t *teller) pending() (untold, unheard config.Verdicts, newest config.Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	untold, unheard, newest = slices.Clone(t.untold), slices.Clone(t.unheard), t.newest
	newest.Agent = t.agent
	for _, vs := range []config.Verdicts{untold, unheard} {
		for i := range vs {
			vs[i].Agent = t.agent
		}
	}
	return untold, unheard, newest
}

// passed notes that the Link took a verdict.
func (t *teller) passed(v config.Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.untold = t.untold.Without(config.Verdicts{v})
}

// hear notes what the agent took.
func (t *teller) hear(vs config.Verdicts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.untold, t.unheard = t.untold.Without(vs), t.unheard.Without(vs)
}

// last says goodbye when all ends, so that nobody waits for this worker; who does
// not hear it misses the worker by its silence. One that never ran on anything says
// why instead, if that was not heard: a program that ended on its first config, say.
func (t *teller) last(ctx context.Context) {
	untold, unheard, newest := t.pending()
	t.mu.Lock()
	ran := t.ran && !t.missed
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	var err error
	switch {
	case ran: // by HTTP alone, where somebody answers for it
		err = t.post(ctx, config.Reports{Applied: unheard, Stopped: []config.Stopped{
			{Worker: newest.Worker, Agent: newest.Agent, Namespace: newest.Namespace, At: time.Now().UTC()},
		}})
	case len(untold) > 0:
		err = t.say(ctx, true)
	}
	if err != nil {
		t.logger.Warn("the last word was not heard", "revision", newest.Revision, "error", err)
	}
}

// run tells until ctx ends, and then its last word.
func (t *teller) run(ctx context.Context) {
	defer t.last(ctx)
	failures, next := 0, pull.DefaultInterval
	for {
		fresh := pause(ctx, next, t.fresh)
		if ctx.Err() != nil {
			return
		}
		interval := t.every()
		err := t.say(ctx, fresh)
		if err == nil {
			failures, next = 0, jitter(interval)
			continue
		}
		if failures == 0 && ctx.Err() == nil {
			t.logger.Warn("verdict not heard; telling it again", "error", err)
		}
		next = pull.Backoff(failures, interval)
		if refusal, ok := errors.AsType[*pull.Refusal](err); ok {
			next = max(next, refusal.RetryAfter)
		}
		failures++
	}
}

// say tells what is to be told. The Link is fast, but nobody says whether what it
// carries arrives: so what is told again goes by HTTP, and over the Link only where
// the agent is away. One whose ID is not known yet, at a start from the last good, is
// told by HTTP as well, and adds its ID itself.
func (t *teller) say(ctx context.Context, fresh bool) error {
	untold, unheard, newest := t.pending()
	if newest.Revision == 0 || fresh && newest.Agent != "" && t.pass(ctx, untold) {
		return nil
	}
	all, _ := unheard.With(newest)
	err := t.report(ctx, all)
	if err == nil {
		t.hear(all)
	}
	if err == nil || fresh {
		return err
	}
	if len(untold) == 0 {
		untold = config.Verdicts{newest}
	}
	if t.pass(ctx, untold) {
		return nil
	}
	return err
}

// pass tells verdicts over the Link, in order, and says whether that took them all.
func (t *teller) pass(ctx context.Context, vs config.Verdicts) bool {
	if t.link == nil || !t.link.Healthy() {
		return false
	}
	for _, v := range vs {
		if err := t.link.Tell(ctx, v); err != nil {
			t.logger.Debug("verdict not passed on", "revision", v.Revision, "error", err)
			return false
		}
		t.passed(v)
	}
	return true
}

// pause waits for a while, and returns true if early came first.
func pause(ctx context.Context, while time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(while)
	defer timer.Stop()
	select {
	case <-early:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// jitter is the interval ±20 %, so that a fleet does not report at once.
func jitter(interval time.Duration) time.Duration {
	return interval - interval/5 + rand.N(max(interval*2/5, 1)) //nolint:gosec // spreading load is no secret
}
