package gateway

import (
	"errors"
	"hash/fnv"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// A line is one address, and whether it is worth asking: at all, and for a
// namespace of which it has less than another one.
type line struct {
	client  *pull.Client
	circuit domain.Circuit
	behind  map[config.Name]domain.Circuit
	path    []string // of the last pull that said one
	state   domain.UpstreamState
}

// Lines are the addresses in order. A call is a permission to use one of them,
// which ends with observe or abandon.
type lines struct {
	mu   sync.Mutex
	all  []*line
	last domain.UpstreamState
	met  chan struct{} // closed and made anew when another agent answers at an address
}

type call struct {
	*line
	namespace config.Name // "" for registrations and reports
	probe     bool        // a circuit waits for how it ends
}

func newLines(o Options, client *http.Client) *lines {
	l := &lines{last: domain.UpstreamState{URL: o.Addresses[0]}, met: make(chan struct{})}
	for _, address := range o.Addresses {
		h := fnv.New64a()
		_, _ = h.Write([]byte(o.ID + " " + address)) // a hash does not fail
		l.all = append(l.all, &line{
			client:  &pull.Client{Base: address, HTTP: client, Token: o.Token, Agent: o.ID, Codings: codings},
			circuit: domain.Circuit{Seed: h.Sum64()},
			behind:  map[config.Name]domain.Circuit{},
			state:   domain.UpstreamState{URL: address},
		})
	}
	return l
}

// admit returns the call to the i-th address, if its circuits admit one.
func (l *lines) admit(i int, namespace config.Name, at time.Time) (call, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	each := l.all[i]
	c := call{line: each, namespace: namespace}
	circuit, ok := each.circuit.Admit(at)
	if !ok {
		return c, false
	}
	if behind, known := each.behind[namespace]; known {
		next, ok := behind.Admit(at)
		if !ok {
			return c, false
		}
		each.behind[namespace] = next
		c.probe = true
	}
	each.circuit = circuit
	c.probe = c.probe || circuit.Probing
	return c, true
}

// insist returns the call that is made where no circuit admits one: rather to an
// address that is behind than to one that is away, and not at all, but for a
// while, where every one of them said when to come again.
func (l *lines) insist(namespace config.Name, at time.Time) (c call, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var best *line
	var told time.Time
	for _, each := range l.all {
		until := each.toldUntil(namespace)
		switch {
		case at.Before(until):
			if told.IsZero() || until.Before(told) {
				told = until
			}
		case best == nil || each.circuit.Until.Before(best.circuit.Until):
			best = each
		}
	}
	if best == nil {
		return call{}, told.Sub(at)
	}
	return call{line: best, namespace: namespace}, 0
}

// toldUntil is when the address said to come again, zero where it did not. The
// lock of its lines is held.
func (l *line) toldUntil(namespace config.Name) (until time.Time) {
	for _, circuit := range []domain.Circuit{l.circuit, l.behind[namespace]} {
		if circuit.Told && circuit.Until.After(until) {
			until = circuit.Until
		}
	}
	return until
}

// due is the time until an address before the i-th is to be probed for a
// namespace; it is long where there is none.
func (l *lines) due(i int, namespace config.Name, at time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	soonest := time.Hour
	for _, each := range l.all[:i] {
		until := each.circuit.Until
		if behind, ok := each.behind[namespace]; ok && behind.Until.After(until) {
			until = behind.Until
		}
		soonest = min(soonest, until.Sub(at))
	}
	return soonest
}

// abandon ends a call of which nothing is known.
func (l *lines) abandon(c call, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.circuit = c.circuit.Abandon(at)
	if behind, ok := c.line.behind[c.namespace]; ok {
		c.line.behind[c.namespace] = behind.Abandon(at)
	}
}

// observe ends a call: err is why the address did not answer, behind why its answer
// about the namespace is not as good as another one's may be. It returns err in
// the domain's words.
func (l *lines) observe(c call, answer pull.Answer, err, behind error, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.circuit = c.circuit.Observe(busy(err), at)
	if c.namespace != "" && (answer.Agent != "" || err == nil) {
		l.meet(c.line, answer.Agent)
	}
	if len(answer.Via) > 0 {
		c.path = answer.Via
	}
	c.state = c.state.Observe(c.client.Base, err, at)
	l.last = l.last.Observe(c.client.Base, err, at)
	switch {
	case behind != nil:
		l.lag(c.line, c.namespace, busy(behind), at)
	case err == nil:
		delete(c.line.behind, c.namespace)
	default:
		if stands, ok := c.line.behind[c.namespace]; ok {
			c.line.behind[c.namespace] = stands.Abandon(at)
		}
	}
}

// refused notes that what an address serves of a namespace was not taken.
func (l *lines) refused(each *line, namespace config.Name, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lag(each, namespace, domain.ErrBehind, at)
}

// lag notes that an address has no good answer for a namespace. l.mu is held.
func (l *lines) lag(each *line, namespace config.Name, why error, at time.Time) {
	circuit, ok := each.behind[namespace]
	if !ok {
		circuit.Seed = each.circuit.Seed
	}
	each.behind[namespace] = circuit.Observe(why, at)
}

// meet learns which agent answers at an address, "" for a controller. l.mu is held.
func (l *lines) meet(each *line, agent string) {
	if each.state.Agent == agent {
		return
	}
	each.state.Agent = agent
	close(l.met)
	l.met = make(chan struct{})
}

// above are the agents that answer at the addresses, and a channel that is closed
// when that changes.
func (l *lines) above() (agents []string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, each := range l.all {
		if id := each.state.Agent; id != "" && !slices.Contains(agents, id) {
			agents = append(agents, id)
		}
	}
	return agents, l.met
}

// paths are the agents that stand above, as far as answers have said.
func (l *lines) paths() (path []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, each := range l.all {
		path = append(path, each.path...)
	}
	return path
}

// states are how the addresses are, in order.
func (l *lines) states(at time.Time) []domain.UpstreamState {
	l.mu.Lock()
	defer l.mu.Unlock()
	states := make([]domain.UpstreamState, 0, len(l.all))
	for _, each := range l.all {
		s := each.state
		s.Circuit, s.RetryAt = each.circuit.State(at), each.circuit.Until
		for namespace := range each.behind {
			if namespace != "" {
				s.Behind++
			}
		}
		states = append(states, s)
	}
	return states
}

func (l *lines) summary() domain.UpstreamState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// busy is an error in the domain's words: one that says when to come again.
func busy(err error) error {
	refusal, ok := errors.AsType[*pull.Refusal](err)
	if ok && refusal.RetryAfter > 0 && (refusal.Status == http.StatusTooManyRequests || refusal.Status == http.StatusServiceUnavailable) {
		return &domain.Busy{After: refusal.RetryAfter, Err: err}
	}
	return err
}
