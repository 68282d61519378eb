package domain

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Why an address is left alone after one answer.
var (
	// ErrLoop means that what an address serves came from this agent itself.
	ErrLoop = errors.New("a loop of agents")
	// ErrBehind means that an address has less than what is held, or cannot confirm it.
	ErrBehind = errors.New("behind what is held")
)

// Busy is the answer of an address that said when to come again.
type Busy struct {
	After time.Duration
	Err   error
}

func (b *Busy) Error() string { return b.Err.Error() }

// Unwrap returns what the address said.
func (b *Busy) Unwrap() error { return b.Err }

// A CircuitState says whether an address is asked.
type CircuitState string

// The states of a circuit: Closed is asked, Open is left alone, HalfOpen waits for
// the one request that decides.
const (
	Closed   CircuitState = "closed"
	Open     CircuitState = "open"
	HalfOpen CircuitState = "half-open"
)

const (
	openAfter   = 2 // failures in a row: one may be a restart
	circuitBase = time.Second
	circuitMost = 30 * time.Second
	// probeLimit is how long one probe keeps others from asking; a puller that is
	// stopped in its middle takes nothing with it.
	probeLimit = 30 * time.Second
)

// A Circuit decides whether an address is worth a request: after failures in a row
// it is left alone for a growing time, and then probed by one request.
type Circuit struct {
	Seed     uint64 // spreads the times of a fleet; the same one gives the same times
	Failures int    // in a row
	Until    time.Time
	Told     bool // Until is what the address asked for
	Probing  bool // one request is on its way
}

// State is the circuit's state at a time.
func (c Circuit) State(at time.Time) CircuitState {
	switch {
	case c.Until.IsZero():
		return Closed
	case c.Probing || !at.Before(c.Until):
		return HalfOpen
	}
	return Open
}

// Admit reports whether a request may be made, and returns the circuit that
// follows: one that was due is being probed, and admits nobody else meanwhile.
func (c Circuit) Admit(at time.Time) (next Circuit, ok bool) {
	if c.Until.IsZero() {
		return c, true
	}
	if at.Before(c.Until) {
		return c, false
	}
	c.Probing, c.Until = true, at.Add(probeLimit)
	return c, true
}

// Abandon returns the circuit after a probe that came to no end: the next one is
// due at once.
func (c Circuit) Abandon(at time.Time) Circuit {
	if c.Probing {
		c.Probing, c.Until = false, at
	}
	return c
}

// Observe returns the circuit after a request that ended so. A loop, an address
// that is behind, and one that said when to come again open it at once.
func (c Circuit) Observe(err error, at time.Time) Circuit {
	if err == nil {
		return Circuit{Seed: c.Seed}
	}
	busy, told := errors.AsType[*Busy](err)
	atOnce := told && busy.After > 0 || errors.Is(err, ErrLoop) || errors.Is(err, ErrBehind)
	c.Failures++
	if c.Failures < openAfter && !atOnce {
		return c
	}
	c.Probing, c.Told = false, false
	c.Until = at.Add(c.pause())
	if told && busy.After > 0 {
		if until := at.Add(busy.After); until.After(c.Until) || c.Failures == 1 {
			c.Until, c.Told = until, true
		}
	}
	return c
}

// pause grows with the failures, up to a bound, and is between half of that and
// all of it.
func (c Circuit) pause() time.Duration {
	whole := min(circuitMost, circuitBase<<min(max(c.Failures-openAfter, 0), 10))
	return whole/2 + time.Duration(float64(whole/2)*fraction(c.Seed+uint64(c.Failures)))
}

// fraction makes a number below 1 of a seed (SplitMix64).
func fraction(seed uint64) float64 {
	seed += 0x9e3779b97f4a7c15
	seed = (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
	seed = (seed ^ seed>>27) * 0x94d049bb133111eb
	return float64((seed^seed>>31)>>11) / (1 << 53)
}

// MaxHops is how many agents may stand between a controller and whoever asks.
const MaxHops = 8

// CheckPath returns an error that wraps ErrLoop where what an address serves came
// through the agent of that ID, or through too many. The path names agents,
// nearest to the controller first.
func CheckPath(path []string, id string) error {
	if slices.Contains(path, id) {
		return fmt.Errorf("%w: it serves what it has from %s, this agent; look at --upstream, and that no two agents share an --id", ErrLoop, id)
	}
	if len(path) > MaxHops {
		return fmt.Errorf("%w: more than %d agents, one above the other", ErrLoop, MaxHops)
	}
	return nil
}

// Below is the path of what an agent of that ID serves, which came to it by a
// path: that one and its own ID, and of a loop only the last turn.
func Below(path []string, id string) []string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == id {
			path = path[i+1:]
			break
		}
	}
	if len(path) > MaxHops {
		path = path[len(path)-MaxHops:]
	}
	return append(append(make([]string, 0, len(path)+1), path...), id)
}
