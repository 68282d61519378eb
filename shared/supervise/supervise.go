//go:build unix

// Package supervise runs one program through changes of what it is configured
// with: it starts it, starts it anew or signals it on a change, goes back to the
// former configuration where the program dies of a new one, passes signals on, and
// stands as the first process of a container. It knows processes, and nothing of
// where configurations come from.
package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"
)

// A Program is what is run, and how.
type Program struct {
	Path string   // of the executable
	Args []string // the first is the name that it is called by
	Env  []string // what it has beside its configuration

	Stdin, Stdout, Stderr *os.File

	OnChange Reaction
	// EachChange restarts on every change, even if the variables are the same.
	EachChange bool
	// Grace is how long it may take to stop before it is killed.
	Grace time.Duration
	// Settle is how long it must live after a change for the change to be good.
	Settle time.Duration
	// AdoptOrphans reaps processes whose parents have ended, as the first process
	// of a container must; where the system can, they come here even if this one is
	// not the first. Only what was started here is left alone.
	AdoptOrphans bool

	Logger *slog.Logger
}

// A Configuration is what a program runs on.
type Configuration struct {
	Variables []string // NAME=value
	About     []string // variables as well, of which a change alone is none
}

// A Supervisor runs a Program. Run does so; Change may be called by another
// goroutine, before Run too.
type Supervisor struct {
	program Program
	changes chan change
	signals <-chan os.Signal
	ended   chan struct{}

	// What follows is Run's own.
	child    *child        // nil before the first
	running  Configuration // that the child was told of last
	stopping bool          // somebody asked for the end
	over     error         // why there is no program any more: it could not be started
	killAt   <-chan time.Time
	shared   bool // the program has the process group of this one
}

// A change is a configuration that awaits its verdict.
type change struct {
	from    *Configuration // what to go back to where nothing runs yet; nil for nothing
	to      Configuration
	verdict chan error
}

// New returns a Supervisor that hears these signals; see Signals.
func New(program Program, signals <-chan os.Signal) *Supervisor {
	return &Supervisor{
		program: program, signals: signals,
		changes: make(chan change), ended: make(chan struct{}),
	}
}

// Change gives the program another configuration, the first one too, and returns
// nil once it has settled. It returns a *Rejected if the program did not bear it
// and runs on the former one, or has ended if there was none; and an error that
// wraps context.Canceled if the program ends for another reason.
func (s *Supervisor) Change(to Configuration) error {
	return s.hand(change{nil, to, make(chan error, 1)})
}

// ChangeFrom is Change, and says what to run on where nothing runs yet and the program
// does not bear the change.
func (s *Supervisor) ChangeFrom(from, to Configuration) error {
	return s.hand(change{&from, to, make(chan error, 1)})
}

func (s *Supervisor) hand(c change) error {
	select {
	case s.changes <- c:
	case <-s.ended:
		return errEnding
	}
	return <-c.verdict
}

var errEnding = fmt.Errorf("the program ends: %w", context.Canceled)

// Run runs the program until it ends by itself, is told to, or cannot be run, and
// returns how it ended: asked and with 0 if there was no configuration yet. ctx
// bounds the wait for the first one and nothing else; Run returns its error.
func (s *Supervisor) Run(ctx context.Context) (Ending, error) {
	defer close(s.ended)
	if s.program.AdoptOrphans {
		defer reaping.adopt(s.program.Logger)()
	}
	s.shared = onTerminal(s.program.Stdin)
	for s.child == nil {
		select {
		case c := <-s.changes:
			c.verdict <- s.begin(c)
		case signal := <-s.signals:
			s.heed(signal)
		case <-ctx.Done():
			return Ending{}, ctx.Err()
		}
		if s.child == nil && (s.stopping || s.over != nil) {
			return Ending{Asked: s.stopping}, s.over
		}
	}
	for s.over == nil {
		select {
		case c := <-s.changes:
			c.verdict <- s.change(c.to)
		case signal := <-s.signals:
			s.heed(signal)
		case <-s.child.exited:
			s.clear()
			s.program.Logger.Info("the program has ended", "how", s.child.how())
			return s.child.ending(), nil
		case <-s.killAt:
			s.child.kill()
		}
	}
	return Ending{}, s.over
}

// begin starts the program for the first time. One that ends well at once was
// meant to: a job rather than a service.
func (s *Supervisor) begin(on change) error {
	if err := s.start(on.to); err != nil {
		return s.notBegun(on, err)
	}
	switch {
	case !s.await(s.child.exited, s.program.Settle), s.child.code() == 0:
		return nil
	case s.child.asked:
		return errEnding
	}
	s.clear()
	if on.from == nil {
		return s.child.rejected() // and Run ends, as there is nothing to go back to
	}
	return s.goBack(*on.from, s.child.rejected())
}

// notBegun goes back, where there is something, from what could not be started.
func (s *Supervisor) notBegun(on change, reason error) error {
	if on.from == nil {
		s.over = reason
		return reason
	}
	return s.goBack(*on.from, reason)
}

// change takes over another configuration, or goes back.
func (s *Supervisor) change(to Configuration) error {
	if s.stopping || s.endedBefore() {
		return errEnding
	}
	former := s.running
	switch {
	case len(to.About) > 0 && slices.Equal(former.Variables, to.Variables) && slices.Equal(former.About, to.About):
		return nil // it went back to that, and need not be told
	case s.program.OnChange.signal != 0:
		s.program.Logger.Info("the configuration has changed; signalling the program", "signal", s.program.OnChange)
		s.running = to
		s.child.signal(s.program.OnChange.signal)
	case s.program.OnChange == None, !s.program.EachChange && slices.Equal(former.Variables, to.Variables):
		s.running = to
		return nil
	default:
		s.program.Logger.Info("the configuration has changed; restarting the program")
		if !s.stop() {
			return errEnding
		}
		if err := s.start(to); err != nil {
			return s.goBack(former, err)
		}
	}
	if !s.await(s.child.exited, s.program.Settle) {
		return nil
	}
	if s.child.asked {
		return errEnding
	}
	s.clear()
	return s.goBack(former, s.child.rejected())
}

// goBack starts the program on its former configuration, and returns why.
func (s *Supervisor) goBack(former Configuration, reason error) error {
	s.program.Logger.Warn("the program does not run on it; going back to the former configuration", "error", reason)
	if s.stopping {
		return reason
	}
	if err := s.start(former); err != nil {
		s.over = err
	}
	return reason
}

// endedBefore says whether the program ended before a change, and so of something
// else. One that was just asked to end has a moment to do so.
func (s *Supervisor) endedBefore() bool {
	limit := time.Duration(0)
	if s.child.asked {
		limit = time.Second
	}
	ended := s.await(s.child.exited, limit)
	s.child.asked = false // what it outlived it will not die of
	return ended
}
