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
	// nobodyAfter is how long a namespace may be without a live worker before that is
	// believed: who waits for its first revision is known once it runs on it.
	nobodyAfter = 3 * time.Second
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

// progress is how far a fleet has come with a revision. A worker whose agent holds
// the revision back is counted as one that refuses it.
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
		switch {
		case w.State == client.Current:
			p.current++
		case w.State == client.Rejected, w.State == client.Behind && holder(fleet, w) != nil:
			p.rejected++
		}
	}
	return p
}

// holder is the worker's agent's refusal of the revision, nil if there is none. A
// refusal of revision 0 is of whatever comes: it does not say what it is.
func holder(fleet client.Fleet, w client.Worker) *client.Rejection {
	for _, a := range fleet.Agents {
		if a.ID == w.Agent && a.Rejected != nil && (a.Rejected.Revision == 0 || a.Rejected.Revision >= fleet.Revision) {
			return a.Rejected
		}
	}
	return nil
}

// met reports whether the share is there; hopeless, whether it cannot come any
// more, since too many have refused.
func (p progress) met(s share) bool { return p.live > 0 && p.current >= s.of(p.live) }

func (p progress) hopeless(s share) bool { return p.live > 0 && p.live-p.rejected < s.of(p.live) }

func (p progress) line(revision config.Revision) string {
	line := fmt.Sprintf("%d of %d live workers run on revision %d", p.current, p.live, revision)
	if p.rejected > 0 {
		line += fmt.Sprintf(", %d refused it", p.rejected)
	}
	return line
}

// await returns nil once that share of the namespace's live workers runs on the
// revision or a newer one, and otherwise an error that wraps errWaitUnmet, with
// the laggards and their reasons on standard error.
func await(cmd *cobra.Command, c *client.Client, namespace config.Name, revision config.Revision, wanted share, limit time.Duration) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(cmd.Context(), limit)
	defer cancel()
	var fleet client.Fleet
	meter := newMeter(cmd, revision)
	defer meter.end()
	for hold := time.Duration(0); ; hold = min(maxHold, time.Until(begin.Add(limit))) {
		asked := time.Now()
		latest, err := fleetAt(ctx, c, namespace, revision, hold)
		if cmd.Context().Err() != nil {
			return fmt.Errorf("revision %d of %s stands, only the waiting for it was ended: %w", revision, namespace, cmd.Context().Err())
		}
		if ctx.Err() == nil && err != nil {
			return fmt.Errorf("revision %d is written, but who runs on it is not known: %w", revision, err)
		}
		if err == nil {
			fleet = latest
		}
		now := progressOf(fleet)
		meter.show(now)
		nobody := err == nil && now.live == 0 && time.Since(begin) >= nobodyAfter
		switch {
		case now.met(wanted):
			return nil
		case now.hopeless(wanted) || nobody || ctx.Err() != nil:
			meter.end()
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
			say(cmd, "  %s", plain(laggard(fleet, w)))
		}
	}
	if named > maxLaggards {
		say(cmd, "  and %d more; see: herald fleet %s", named-maxLaggards, fleet.Namespace)
	}
	reason := errWaitUnmet
	if p.rejected > 0 {
		reason = errRejected
	}
	switch {
	case fleet.Namespace == "":
		return fmt.Errorf("%w within %s: the controller has not said yet who does; see: herald fleet", reason, limit)
	case p.live == 0:
		return fmt.Errorf("%w: no live worker follows %s; the change is written all the same", reason, fleet.Namespace)
	case late && !p.hopeless(wanted):
		return fmt.Errorf("%w within %s: %d of %d live workers, %s wanted; see: herald fleet %s",
			reason, limit, p.current, p.live, &wanted, fleet.Namespace)
	}
	return fmt.Errorf("%w: %d of %d live workers refused it, %s wanted; put it right, or put back what stood there before",
		reason, p.rejected, p.live, &wanted)
}

func laggard(fleet client.Fleet, w client.Worker) string {
	line := w.ID + " is " + w.State
	if w.Running != nil {
		line += fmt.Sprintf(", on revision %d", w.Running.Revision)
	}
	held := holder(fleet, w)
	switch {
	case w.State == client.Rejected && w.LastRejected != nil:
		line += fmt.Sprintf(": %s: %s", w.LastRejected.Code, w.LastRejected.Message)
	case w.State == client.Behind && held != nil:
		line += fmt.Sprintf(", held by its agent %s: %s: %s", w.Agent, held.Code, held.Message)
	case w.State == client.Lost:
		line += ", not seen since " + stamp(w.LastSeen)
	}
	return line
}
