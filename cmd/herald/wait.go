package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

const (
	// maxHold is how long the controller is asked to hold its answer at most. It
	// is short, since what changes between two questions ends no hold.
	maxHold = time.Second
	// restBetween spares a controller that answers sooner than it was asked to.
	restBetween = 200 * time.Millisecond
	// maxLaggards is how many workers are named one by one.
	maxLaggards = 20
)

// A share of the live workers, in percent; 0 where none was given.
type share float64

// Set takes a percentage, as in 99%.
func (s *share) Set(value string) error {
	number, ok := strings.CutSuffix(value, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(percent > 0 && percent <= 100) {
		return fmt.Errorf("write a percentage, as in 99%%")
	}
	*s = share(percent)
	return nil
}

// String returns the percentage.
func (s *share) String() string {
	if !s.set() {
		return ""
	}
	return strconv.FormatFloat(float64(*s), 'f', -1, 64) + "%"
}

// Type names what the flag takes.
func (s *share) Type() string { return "percent" }

func (s *share) set() bool { return *s > 0 }

// of is how many of so many workers the share asks for.
func (s share) of(workers int) int { return int(math.Ceil(float64(workers)*float64(s)/100 - 1e-9)) }

// progress is how far a fleet has come with a revision.
type progress struct {
	live, current, rejected int
}

// progressOf counts the live workers of a fleet that was asked for a revision.
func progressOf(fleet client.Fleet) progress {
	var p progress
	for _, w := range fleet.Workers {
		if w.State != client.Lost {
			p.live++
		}
		switch w.State {
		case client.Current:
			p.current++
		case client.Rejected:
			p.rejected++
		}
	}
	return p
}

// met reports whether the share is there; hopeless, whether it cannot come any
// more, since too many have refused or there is nobody.
func (p progress) met(s share) bool { return p.live > 0 && p.current >= s.of(p.live) }

func (p progress) hopeless(s share) bool { return p.live == 0 || p.live-p.rejected < s.of(p.live) }

// await returns nil once that share of the namespace's live workers runs on the
// revision or a newer one, and otherwise an error that wraps errWaitUnmet, with
// the laggards and their reasons on standard error.
func await(cmd *cobra.Command, c *client.Client, namespace config.Name, revision config.Revision, wanted share, limit time.Duration) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(cmd.Context(), limit)
	defer cancel()
	var fleet client.Fleet
	var seen progress
	for hold := time.Duration(0); ; hold = min(maxHold, time.Until(begin.Add(limit))) {
		asked := time.Now()
		latest, err := fleetAt(ctx, c, namespace, revision, hold)
		if cmd.Context().Err() != nil {
			return cmd.Context().Err()
		}
		if ctx.Err() == nil && err != nil {
			return fmt.Errorf("revision %d is written, but who runs on it is not known: %w", revision, err)
		}
		if err == nil {
			fleet = latest
		}
		now := progressOf(fleet)
		if now != seen || hold == 0 {
			say(cmd, "%d of %d live workers run on revision %d", now.current, now.live, revision)
		}
		seen = now
		switch {
		case now.met(wanted):
			return nil
		case now.hopeless(wanted) || ctx.Err() != nil:
			return unmet(cmd, fleet, wanted, ctx.Err() != nil, limit)
		}
		rest(ctx, restBetween-time.Since(asked))
	}
}

// fleetAt asks who runs on a revision; the answer is held while nothing changes.
func fleetAt(ctx context.Context, c *client.Client, namespace config.Name, revision config.Revision, hold time.Duration) (client.Fleet, error) {
	var fleet client.Fleet
	path := client.NamespacePath(namespace, "/fleet?revision="+strconv.FormatInt(int64(revision), 10))
	_, err := c.Hold(ctx, path, hold, &fleet)
	if err == nil && fleet.Namespace != namespace {
		err = errStranger
	}
	return fleet, err
}

// rest waits, but not longer than ctx lasts.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// unmet names the workers that do not run on the revision, and says why the wait
// is over.
func unmet(cmd *cobra.Command, fleet client.Fleet, wanted share, late bool, limit time.Duration) error {
	p, named := progressOf(fleet), 0
	for _, w := range fleet.Workers {
		if w.State == client.Current {
			continue
		}
		if named++; named <= maxLaggards {
			say(cmd, "  %s", plain(laggard(w)))
		}
	}
	if named > maxLaggards {
		say(cmd, "  and %d more; see: herald fleet %s", named-maxLaggards, fleet.Namespace)
	}
	switch {
	case fleet.Namespace == "":
		return fmt.Errorf("%w within %s: the controller has not said yet who does; see: herald fleet", errWaitUnmet, limit)
	case p.live == 0:
		return fmt.Errorf("%w: no live worker follows %s; the change is written all the same", errWaitUnmet, fleet.Namespace)
	case late && !p.hopeless(wanted):
		return fmt.Errorf("%w within %s: %d of %d live workers, %s wanted; see: herald fleet %s",
			errWaitUnmet, limit, p.current, p.live, &wanted, fleet.Namespace)
	}
	return fmt.Errorf("%w: %d of %d live workers refused it, %s wanted; put it right, or put back what stood there before",
		errWaitUnmet, p.rejected, p.live, &wanted)
}

func laggard(w client.Worker) string {
	line := w.ID + " is " + w.State
	if w.Running != nil {
		line += fmt.Sprintf(", on revision %d", w.Running.Revision)
	}
	if w.State == client.Rejected && w.LastRejected != nil {
		line += fmt.Sprintf(": %s: %s", w.LastRejected.Code, w.LastRejected.Message)
	}
	if w.State == client.Lost {
		line += ", not seen since " + stamp(w.LastSeen)
	}
	return line
}
