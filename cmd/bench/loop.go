package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/settings"
)

// A way is how news travels in one measurement.
type way struct {
	name string
	bus  func(redis string) string // the URL of --bus
	deaf bool                      // requests are not held: what is left is the poll
}

var ways = []way{
	{name: "memory", bus: func(string) string { return "memory://bench" }},
	{name: "redis streams", bus: func(redis string) string { return "redis://" + redis }},
	{name: "redis pub/sub", bus: func(redis string) string { return "redis+pubsub://" + redis }},
	{name: "held GET", bus: func(string) string { return "" }},
	{name: "poll alone", bus: func(string) string { return "" }, deaf: true},
}

type loopOptions struct {
	changes, workers int
	poll             time.Duration
	redis            string
}

func loopCommand() *cobra.Command {
	var o loopOptions
	cmd := &cobra.Command{
		Use:   "loop",
		Short: "Time from a PUT's answer to the worker's applied verdict, by each way news travels",
		Long: `Runs a controller, an agent and workers, commits one change after the other, and
takes the time from the answer to the PUT until the controller knows that every
worker runs on it. It does so over each bus, with no bus (requests are held), and
with nothing but the poll (a proxy on each hop takes the wait preference away).

It starts a redis-server of its own on a free port, unless --redis names one.`,
		Example: "  go run ./cmd/bench loop\n  go run ./cmd/bench loop --changes 500 --workers 10",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.changes < 1 || o.workers < 1 || o.poll < 100*time.Millisecond {
				return settings.Usagef("--changes and --workers are at least 1, --poll at least 100ms")
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.changes, "changes", 100, "how many changes are timed a way (a tenth of it by the poll alone)")
	flags.IntVar(&o.workers, "workers", 1, "how many workers follow")
	flags.DurationVar(&o.poll, "poll", time.Second, "the poll interval where nothing else is left; otherwise it is 15s")
	flags.StringVar(&o.redis, "redis", "", "HOST:PORT of a Redis to use (default: one of its own)")
	return cmd
}

func (o loopOptions) run(ctx context.Context, out, progress io.Writer) error {
	redis, stop, err := redisAt(ctx, o.redis)
	if err != nil {
		return err
	}
	defer stop()
	var line []string
	for _, w := range ways {
		times, err := o.measure(ctx, w, w.bus(redis))
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		fmt.Fprintf(progress, "%-14s median %9s   p99 %9s   %d changes, %d workers\n", w.name, round(at(times, 50)), round(at(times, 99)), len(times), o.workers)
		line = append(line, fmt.Sprintf("%s %s", w.name, round(at(times, 50))))
	}
	fmt.Fprintf(out, "median from PUT answered to the worker's verdict: %s (polls every %s)\n", strings.Join(line, " · "), o.poll)
	return nil
}

// measure returns the times of the changes, sorted.
func (o loopOptions) measure(ctx context.Context, w way, bus string) ([]time.Duration, error) {
	changes, interval := o.changes, 15*time.Second
	if w.deaf {
		changes, interval = max(1, o.changes/10), o.poll
	}
	f, err := startFleet(ctx, bus, o.workers, interval, w.deaf)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	return f.timed(ctx, changes)
}

// timed makes changes one after the other, and returns the times from the answer to
// the PUT until the fleet is current, sorted.
func (f *fleet) timed(ctx context.Context, changes int) ([]time.Duration, error) {
	if err := f.change(ctx, -1); err != nil { // the first one waits for the fleet to come up
		return nil, err
	}
	times := make([]time.Duration, 0, changes)
	for i := range changes {
		answered, err := f.put(ctx, i)
		if err != nil {
			return nil, err
		}
		if err := f.current(ctx); err != nil {
			return nil, err
		}
		times = append(times, time.Since(answered))
	}
	slices.Sort(times)
	return times, nil
}

// at is a percentile of sorted times.
func at(times []time.Duration, percent int) time.Duration {
	return times[min(len(times)-1, len(times)*percent/100)]
}

func round(d time.Duration) time.Duration {
	if d > 100*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
