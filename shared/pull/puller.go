package pull

import (
	"context"
	"errors"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A Puller keeps one namespace current: it decides when to pull. It pulls at
// start, on a nudge, and by timer; one pull is in flight at a time, and one more
// follows if it was nudged meanwhile. Where notifications cannot be had it lets
// upstream hold its request, so that a change still arrives at once.
//
// Its fields are set before Run and not changed after.
type Puller struct {
	Namespace config.Name
	// Fetch asks upstream once; a Client's method, mostly.
	Fetch func(context.Context, Request) (Answer, error)
	// Keep takes over a newer snapshot. With an error the Puller goes on with what
	// it had, and backs off.
	Keep func(context.Context, Answer) error
	// Observe, where it is set, hears how each pull ended; an answer without a
	// snapshot and an error confirms what one has.
	Observe func(Answer, error)
	// Anew, where it is set, reports whether what is held is to be fetched again
	// even if it is unchanged, since it came with less than it might.
	Anew func(held *config.Snapshot) bool
	// Hold reports whether requests should be held, since no notification comes.
	Hold func() bool
	// Interval is how often to poll; 0 is what upstream says.
	Interval time.Duration
	// Identity spreads the pullers of a fleet over the interval.
	Identity string

	bell     bell
	told     time.Duration
	failures int
	phased   bool
	wanted   config.Position // the newest that somebody told of
	repeats  int             // pulls since then that did not bring it
	asked    bool
	doubt    bool // the last answer did not verify, so that what is held is asked for in whole
}

// A Nudge says that there may be something newer.
type Nudge struct {
	Position config.Position // what is said to be there; revision 0 if that is not known
	Spread   time.Duration   // wait a random time up to this
}

// Nudge asks for a pull. It returns at once, and does nothing if the Puller has
// what the nudge is about.
func (p *Puller) Nudge(n Nudge) { p.bell.ring(n) }

const (
	// minGap is the least time between a pull that brought nothing and the next, so
	// that no flood of nudges becomes a flood of requests. After one that brought
	// something it is newsGap.
	minGap  = 50 * time.Millisecond
	newsGap = 5 * time.Millisecond
	// startSpread is how long a Puller that has something waits at most before its
	// first pull.
	startSpread = time.Second
	// nudgeWait is how long a pull may be held that follows a nudge about a
	// revision which upstream, if it is a relay, may not have yet.
	nudgeWait = 3 * time.Second
	// maxRepeats is how often is asked again, soon and then later, for what an
	// upstream does not have yet.
	maxRepeats = 5
	repeatBase = 250 * time.Millisecond
)

// Run pulls until ctx ends. have is what is held already, nil for nothing.
func (p *Puller) Run(ctx context.Context, have *config.Snapshot) {
	p.bell.open(have)
	if have != nil {
		p.bell.wait(ctx, upTo(startSpread))
	}
	for ctx.Err() == nil {
		started, before := time.Now(), have
		var pause pause
		have, pause = p.pull(ctx, have)
		if pause.deaf {
			sleep(ctx, pause.length)
		} else {
			p.bell.wait(ctx, pause.length)
		}
		gap := minGap
		if have != before {
			gap = newsGap
		}
		sleep(ctx, gap-time.Since(started))
	}
}

// A pause is what follows a pull; a deaf one no nudge ends.
type pause struct {
	length time.Duration
	deaf   bool
}

func (p *Puller) pull(ctx context.Context, have *config.Snapshot) (*config.Snapshot, pause) {
	nudge := p.bell.answer()
	p.want(nudge)
	question := Request{Namespace: p.Namespace, Wait: p.wait(nudge)}
	if have != nil {
		question.At = have.Position
		if !p.doubt && (p.Anew == nil || !p.Anew(have)) {
			question.Have = have.ETag
		}
	}
	started := time.Now()
	answer, err := p.ask(ctx, question)
	if errors.Is(err, errNudged) {
		return have, pause{}
	}
	if ctx.Err() != nil {
		return have, pause{}
	}
	p.doubt = errors.Is(err, ErrUnverified)
	fetched := time.Now()
	if err == nil && answer.Snapshot != nil {
		if err = p.Keep(ctx, answer); err == nil {
			have = answer.Snapshot
			p.bell.have(have.Position)
		}
	}
	if p.Observe != nil {
		answer.Age += time.Since(fetched) // a slow disk may take long to keep it
		p.Observe(answer, err)
	}
	return have, p.after(answer, err, have, question.Wait, time.Since(started))
}

var errNudged = errors.New("nudged while held")

// ask asks once. A nudge ends a request that is held, with errNudged, and takes
// its place.
func (p *Puller) ask(ctx context.Context, q Request) (Answer, error) {
	if q.Wait == 0 {
		return p.Fetch(ctx, q)
	}
	held, cancel := context.WithCancel(ctx)
	listened := make(chan bool, 1)
	go func() {
		nudged := p.bell.wait(held, MaxWait+answerTimeout)
		cancel()
		listened <- nudged
	}()
	answer, err := p.Fetch(held, q)
	cancel()
	if nudged := <-listened; nudged && err != nil && ctx.Err() == nil {
		return Answer{}, errNudged
	}
	return answer, err
}

// want remembers what a nudge told of.
func (p *Puller) want(n *Nudge) {
	if n == nil || n.Position.Revision == 0 || n.Position == p.wanted {
		return
	}
	p.wanted, p.repeats = n.Position, 0
}

// lacks reports whether an upstream that answered has not yet what somebody told
// of, so that it is asked again soon. A relay may be a while behind; somebody who
// tells of what there is not costs a few pulls.
func (p *Puller) lacks() bool {
	return p.wanted.Revision > 0 && p.repeats < maxRepeats && p.bell.wants(p.wanted)
}

// wait is how long the next request may be held. The first is not, nor is one after
// a failure: whether there is somebody who answers, and who, is worth knowing at
// once, and one who says nothing is not to be taken for one who holds.
func (p *Puller) wait(n *Nudge) time.Duration {
	first := !p.asked
	p.asked = true
	if p.failures > 0 {
		return 0
	}
	if p.holds() && !first {
		return min(max(p.interval().Round(time.Second), time.Second), MaxWait)
	}
	if n != nil && n.Position.Revision > 0 || p.lacks() {
		return nudgeWait
	}
	return 0
}

func (p *Puller) holds() bool { return p.Hold != nil && p.Hold() }

// after is the pause that follows an answer.
func (p *Puller) after(answer Answer, err error, have *config.Snapshot, wait, took time.Duration) pause {
	if answer.Interval > 0 {
		p.told = answer.Interval
	}
	if err != nil && (have != nil || !errors.Is(err, ErrNotFound)) {
		return p.backOff(err)
	}
	p.failures = 0
	heldToTheEnd := wait > 0 && took >= wait-wait/10
	if p.holds() && (wait == 0 || answer.Snapshot != nil || heldToTheEnd) {
		return pause{} // and the next one is held again
	}
	if p.lacks() {
		p.repeats++
		return pause{length: min(p.interval(), upTo(repeatBase<<p.repeats))}
	}
	if !p.phased {
		p.phased = true
		return pause{length: phase(p.Identity+"/"+string(p.Namespace), p.interval())}
	}
	return pause{length: jitter(p.interval())}
}

func (p *Puller) backOff(err error) pause {
	length := Backoff(p.failures, p.interval())
	p.failures++
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		length = max(length, refusal.RetryAfter)
	}
	return pause{length: length, deaf: true}
}

// DefaultInterval is how often is polled where nobody says.
const DefaultInterval = 15 * time.Second

func (p *Puller) interval() time.Duration {
	switch {
	case p.Interval > 0:
		return p.Interval
	case p.told > 0:
		return p.told
	}
	return DefaultInterval
}
