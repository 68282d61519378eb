package domain

import "time"

const (
	// paceGap is the time between requests at most, but for those that had to wait.
	paceGap = 100 * time.Millisecond
	// paceEach is what each of those that are reported of adds to it: a few tell
	// little, and somebody may wait for it.
	paceEach = time.Millisecond
	// paceMost is the time between requests of who does not come to rest, in the end.
	paceMost = 2 * time.Second
	// paceBurst is how many go at once: what was fetched, and the verdicts that
	// follow it, are not to wait for each other.
	paceBurst = 4
)

// A Pace holds requests apart, so that they are no more for carrying more. Where many are
// reported of, each that had to wait doubles how long the next one does, until there is
// a rest: what goes on for long is gathered for long.
type Pace struct {
	gap   time.Duration
	spent time.Time
}

// Next is when the next request may go: at once, or later.
func (p Pace) Next(now time.Time) time.Time {
	if at := p.spent.Add(-(paceBurst - 1) * p.gap); at.After(now) {
		return at
	}
	return now
}

// Sent returns the pace after a request of one who reports of that many.
func (p Pace) Sent(at time.Time, many int) Pace {
	gap := min(time.Duration(many)*paceEach, paceGap)
	ahead := p.spent.Sub(at)
	switch {
	case ahead <= 0: // after a rest
		return Pace{gap: gap, spent: at.Add(gap)}
	case ahead < (paceBurst-1)*p.gap-p.gap/2: // not the last that may go at once
		return Pace{gap: max(gap, p.gap), spent: p.spent.Add(max(gap, p.gap))}
	}
	longest := min(time.Duration(many)*paceEach, paceMost) // of a few each news counts
	gap = max(gap, min(2*p.gap, longest))
	return Pace{gap: gap, spent: at.Add(paceBurst * gap)}
}
