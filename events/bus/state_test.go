package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// reply is an error that Redis answers with.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestWhatEachOutcomeSaysOfTheBus(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		err  error
		want State // None: nothing
	}{
		{nil, OK},
		{redis.Nil, OK},
		{fmt.Errorf("wrapped: %w", redis.Nil), OK},
		{io.EOF, Down},
		{dial, Down},
		{os.ErrDeadlineExceeded, Down},
		{context.DeadlineExceeded, Down},
		{context.Canceled, None},
		{redis.ErrClosed, None},
		{redis.ErrPoolTimeout, None},
		{&net.OpError{Op: "read", Err: net.ErrClosed}, None},
		{reply("WRONGTYPE Operation against a key"), None},
	} {
		for _, before := range []State{OK, Down} {
			h := newHealth(before, slog.New(slog.DiscardHandler))
			h.observe(c.err)
			want := c.want
			if want == None {
				want = before
			}
			if got := h.current(); got != want {
				t.Errorf("%v while %s: %s, not %s", c.err, before, got, want)
			}
		}
	}
}

func TestEachChangeIsToldOnceInOrder(t *testing.T) {
	logged := newLines()
	h := newHealth(Down, logged.logger(slog.LevelInfo))
	var early, late []State
	h.onChange(func(s State) { early = append(early, s) })
	for _, err := range []error{io.EOF, io.EOF, nil, nil, io.EOF, nil, nil} {
		h.observe(err)
	}
	h.onChange(func(s State) { late = append(late, s) })
	if want := []State{OK, Down, OK}; !slices.Equal(early, want) {
		t.Errorf("told %v, not %v", early, want)
	}
	if want := []State{OK}; !slices.Equal(late, want) {
		t.Errorf("who asked late was told %v, not %v", late, want)
	}
	if down, up := logged.with("bus is down"), logged.with("bus connected"); len(down) != 2 || len(up) != 2 {
		t.Errorf("logged %q and %q", down, up)
	}
}

func TestNobodyIsToldOfTheFirstState(t *testing.T) {
	h := newHealth(Down, slog.New(slog.DiscardHandler))
	h.onChange(func(s State) { t.Errorf("told %s", s) })
	h.observe(io.EOF)
}

func TestAListenerMayUseTheBus(t *testing.T) {
	h := newHealth(Down, slog.New(slog.DiscardHandler))
	var told []State
	h.onChange(func(s State) {
		told = append(told, s)
		if len(told) == 1 {
			h.observe(io.EOF) // as a publication of the listener's would
		}
	})
	h.observe(nil)
	if want := []State{OK, Down}; !slices.Equal(told, want) {
		t.Errorf("told %v, not %v", told, want)
	}
}

func TestStateMayChangeFromEverywhere(t *testing.T) {
	h := newHealth(Down, slog.New(slog.DiscardHandler))
	last, wrong := Down, 0
	h.onChange(func(s State) {
		if s == last {
			wrong++
		}
		last = s
	})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 200 {
				h.observe(map[bool]error{true: nil, false: errors.New("lost")}[i%2 == 0])
			}
		})
	}
	all.Wait()
	if wrong > 0 || last != h.current() {
		t.Errorf("%d states were told twice; told last %s, is %s", wrong, last, h.current())
	}
}

func TestTurnsSignalEachReturnOnce(t *testing.T) {
	h := newHealth(Down, slog.New(slog.DiscardHandler))
	up, stop := h.turns(OK)
	for range 3 {
		h.observe(nil)
		h.observe(io.EOF)
	}
	if len(up) != 1 {
		t.Errorf("%d signals wait, not one for all", len(up))
	}
	drain(up)
	drain(up)
	stop()
	h.observe(nil)
	if len(up) != 0 {
		t.Error("signalled after stop")
	}
}
