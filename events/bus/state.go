package bus

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
)

// State is how a bus is.
type State string

// The states of a bus. Down is also what nobody has reached yet.
const (
	OK   State = "ok"
	Down State = "down"
	None State = "none"
)

// health is the State, and who wants to know of it.
type health struct {
	logger *slog.Logger

	mu        sync.Mutex
	state     State
	first     State // what nobody needs to be told
	spoken    bool
	listeners []func(State)
	watchers  map[chan struct{}]State
	queue     []func() // what is to be told, in order
	telling   bool
}

func newHealth(first State, logger *slog.Logger) *health {
	return &health{logger: logger, state: first, first: first, watchers: map[chan struct{}]State{}}
}

func (h *health) current() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

func (h *health) onChange(f func(State)) {
	h.mu.Lock()
	h.listeners = append(h.listeners, f)
	if state := h.state; state != h.first {
		h.queue = append(h.queue, func() { f(state) })
	}
	h.tell()
}

// turns signals each change to that state, until stop is called. One signal
// stands for all that nobody has taken yet.
func (h *health) turns(to State) (signal <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[c] = to
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, c)
	}
}

// drain takes a signal that waits.
func drain(signal <-chan struct{}) {
	select {
	case <-signal:
	default:
	}
}

// observe draws its conclusion from how a command went.
func (h *health) observe(err error) {
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		h.set(OK, nil)
	case isReply(err), errors.Is(err, context.Canceled),
		errors.Is(err, net.ErrClosed), errors.Is(err, redis.ErrClosed), errors.Is(err, redis.ErrPoolTimeout):
		// Redis disliked the command, or we ended it ourselves: that says
		// nothing of the way there.
	default:
		h.set(Down, err)
	}
}

// isReply says that Redis itself answered with this error.
func isReply(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

func (h *health) set(state State, why error) {
	h.mu.Lock()
	if h.state == state && h.spoken {
		h.mu.Unlock()
		return
	}
	h.queue = append(h.queue, func() { h.log(state, why) })
	if h.state != state {
		for _, f := range h.listeners {
			h.queue = append(h.queue, func() { f(state) })
		}
	}
	if h.state != state {
		h.signal(state)
	}
	h.state, h.spoken = state, true
	h.tell()
}

func (h *health) signal(state State) {
	for c, awaited := range h.watchers {
		if awaited != state {
			continue
		}
		select {
		case c <- struct{}{}:
		default: // one is waiting there already
		}
	}
}

// tell empties the queue, one caller at a time, so that changes are heard in
// order; it is called with the lock held and returns without it. A listener may
// use the bus: what that changes is told after it.
func (h *health) tell() {
	defer h.mu.Unlock()
	if h.telling {
		return
	}
	h.telling = true
	for len(h.queue) > 0 {
		next := h.queue[0]
		h.queue = h.queue[1:]
		h.mu.Unlock()
		next()
		h.mu.Lock()
	}
	h.telling = false
}

func (h *health) log(state State, why error) {
	if state == OK {
		h.logger.Info("bus connected")
		return
	}
	h.logger.Warn("bus is down; polling goes on without it", "error", why)
}
