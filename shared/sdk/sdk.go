// Package sdk is what an application imports to be a worker: a Watcher holds the
// value of one config, current and checked, keeps the last good one in a folder,
// and tells the fleet which revision the application runs on. It knows the pull
// protocol and an agent's address. It knows no bus, which a program that has one
// plugs in as a Link, and it depends on the standard library alone.
//
// A value is replaced whole or not at all. What does not decode or validate, or
// what the application refuses, is told upward as a rejected verdict with a code,
// and the value stays as it is; that revision is not tried again until a newer one
// follows or the program restarts.
package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/heraldconf/herald/shared/config"
)

// ErrOptions means that Watch cannot begin with the options that it was given.
var ErrOptions = errors.New("cannot watch")

// A Watcher holds the value of one config. It is safe for several goroutines.
type Watcher[T any] struct {
	options  Options[T]
	current  atomic.Pointer[current[T]]
	ready    chan struct{}
	follower *follower
	end      context.CancelFunc
	running  sync.WaitGroup
}

// A current is the value as it stands, and where it comes from. It is never
// changed once it is stored.
type current[T any] struct {
	value    T
	at       config.Position // revision 0 before the first config
	document config.ETag
}

// Watch follows a config, written NAMESPACE/NAME as in payments/limits, until ctx
// ends or Close is called. It waits for nobody: the Watcher has the last good
// value of Options.StateDir at once, or Options.Default until there is one. It
// fails with ErrOptions alone.
func Watch[T any](ctx context.Context, name string, options Options[T]) (*Watcher[T], error) {
	about, err := options.complete(name)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrOptions, name, err)
	}
	w := &Watcher[T]{options: options, ready: make(chan struct{})}
	w.current.Store(&current[T]{value: options.Default})
	if w.follower, err = newFollower(about, w.prepare); err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrOptions, name, err)
	}
	ctx, w.end = context.WithCancel(ctx)
	have := w.follower.restore()
	w.running.Go(func() { w.follower.run(ctx, have) })
	return w, nil
}

// Load returns the value: the newest that was accepted, Options.Default before
// there was one. It takes no lock and allocates nothing.
func (w *Watcher[T]) Load() T { return w.current.Load().value }

// Current returns the value together with the position that it is of, whose
// revision is 0 as long as it is Options.Default.
func (w *Watcher[T]) Current() (T, config.Position) {
	now := w.current.Load()
	return now.value, now.at
}

// Ready is closed once the value comes from a config.
func (w *Watcher[T]) Ready() <-chan struct{} { return w.ready }

// Wait returns nil once the value comes from a config, or the error of ctx.
func (w *Watcher[T]) Wait(ctx context.Context) error {
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status says what the Watcher runs on, what it refused last, and how its agent is.
func (w *Watcher[T]) Status() Status { return w.follower.status.get() }

// Close ends the watching and waits until all of it has ended. The value stays
// readable.
func (w *Watcher[T]) Close() error {
	w.end()
	w.running.Wait()
	return nil
}

// prepare judges a config. Where it is good, swap takes it over; else the error
// says why it is refused. A document that is the same as the one that is held
// moves the position alone.
func (w *Watcher[T]) prepare(entry config.Entry, at config.Position) (swap func(), err error) {
	held := w.current.Load()
	next := &current[T]{value: held.value, at: at, document: entry.ETag}
	if entry.ETag != held.document {
		if next.value, err = w.judge(held.value, entry); err != nil {
			return nil, err
		}
	}
	return func() {
		w.current.Store(next)
		if held.at.Revision == 0 {
			close(w.ready)
		}
	}, nil
}

// parseName reads NAMESPACE/NAME.
func parseName(s string) (namespace, name config.Name, err error) {
	before, after, ok := strings.Cut(s, "/")
	if !ok {
		return "", "", errors.New("write NAMESPACE/NAME, as in payments/limits")
	}
	if namespace, err = config.ParseName(before); err != nil {
		return "", "", err
	}
	name, err = config.ParseName(after)
	return namespace, name, err
}
