// Package sdk is what an application imports to be a worker: a Value holds the
// value of one config, or one made of all configs of a namespace, current and
// checked, keeps the last good in a folder, and tells the fleet which revision the
// application runs on. It knows the pull
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
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/heraldconf/herald/shared/config"
)

// ErrOptions means that Watch cannot begin with the options that it was given.
var ErrOptions = errors.New("cannot watch")

// A Value holds the value of one config, or of a namespace. It is safe for
// several goroutines.
type Value[T any] struct {
	view     view[T]
	current  atomic.Pointer[current[T]]
	ready    chan struct{}
	follower *follower
	end      context.CancelFunc
	running  sync.WaitGroup
}

// A current is the value as it stands, and where it comes from. It is never
// changed once it is stored.
type current[T any] struct {
	value  T
	at     config.Position // revision 0 before the first config
	source config.ETag     // of what the value was made of
}

// A view is what a Value makes of a snapshot.
type view[T any] interface {
	// source identifies what of the snapshot the value is made of. It returns a
	// *refusal if that is not there.
	source(*config.Snapshot) (config.ETag, error)
	// value makes the value of a snapshot, or returns a *refusal.
	value(*config.Snapshot) (T, error)
	// judge makes the next value, lets the application take it over, or returns a *refusal.
	judge(old T, s *config.Snapshot) (T, error)
}

// Watch follows a config, written NAMESPACE/NAME as in payments/limits, until ctx
// ends or Close is called. It waits for nobody: the Value has the last good
// value of Options.StateDir at once, or Options.Default until there is one. It
// fails with ErrOptions alone.
func Watch[T any](ctx context.Context, name string, options Options[T]) (*Value[T], error) {
	view := &document[T]{steps: steps[T]{options.Validate, options.OnChange}, decode: options.Decode}
	about, err := options.connection().complete()
	if err == nil {
		view.namespace, view.name, err = parseName(name)
	}
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrOptions, name, err)
	}
	about.namespace = view.namespace
	about.logger = about.logger.With("config", name)
	return begin(ctx, about, string(view.name), options.Default, view)
}

// begin lets a Value follow what the view is of. It keeps the last good in a
// folder of that name, below the namespace's.
func begin[T any](ctx context.Context, about about, folder string, initial T, view view[T]) (*Value[T], error) {
	if about.stateDir != "" {
		about.stateDir = filepath.Join(about.stateDir, string(about.namespace), folder)
	}
	w := &Value[T]{view: view, ready: make(chan struct{})}
	w.current.Store(&current[T]{value: initial})
	var err error
	if w.follower, err = newFollower(about, w); err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrOptions, about.namespace, err)
	}
	ctx, w.end = context.WithCancel(ctx)
	have := w.follower.restore(ctx)
	w.running.Go(func() { w.follower.run(ctx, have) })
	return w, nil
}

// Load returns the value: the newest that was accepted, Options.Default before
// there was one. It takes no lock and allocates nothing.
func (w *Value[T]) Load() T { return w.current.Load().value }

// Current returns the value together with the position that it is of, whose
// revision is 0 as long as it is Options.Default.
func (w *Value[T]) Current() (T, config.Position) {
	now := w.current.Load()
	return now.value, now.at
}

// Ready is closed once the value comes from a config.
func (w *Value[T]) Ready() <-chan struct{} { return w.ready }

// Wait returns nil once the value comes from a config, or the error of ctx.
func (w *Value[T]) Wait(ctx context.Context) error {
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status says what the Value runs on, what it refused last, and how its agent is.
func (w *Value[T]) Status() Status { return w.follower.status.get() }

// Close ends the watching and waits until all of it has ended. It says goodbye to the
// fleet, and tells once more a verdict that nobody has heard yet. The value stays
// readable.
func (w *Value[T]) Close() error {
	w.end()
	w.running.Wait()
	return nil
}

// Abandon is Close for an application that crashes: it says no goodbye, so that the
// fleet misses it.
func (w *Value[T]) Abandon() error {
	w.follower.teller.miss()
	return w.Close()
}

// prepare judges a snapshot. Where it is good, swap takes its value over; else the
// error says why it is refused. One whose value is made of the same as the one that
// is held moves the position alone.
func (w *Value[T]) prepare(s *config.Snapshot) (swap func(), err error) {
	source, err := w.view.source(s)
	if err != nil {
		return nil, err
	}
	held := w.current.Load()
	next := &current[T]{value: held.value, at: s.Position, source: source}
	if source != held.source {
		if next.value, err = w.view.judge(held.value, s); err != nil {
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

// expect makes the value of a snapshot the one that the next is judged against, though
// nothing runs on it yet; undo takes that back. It returns an error if it is not good.
func (w *Value[T]) expect(s *config.Snapshot) (undo func(), err error) {
	value, err := w.view.value(s)
	if err != nil {
		return nil, err
	}
	before := w.current.Load()
	w.current.Store(&current[T]{value: value})
	return func() { w.current.Store(before) }, nil
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
