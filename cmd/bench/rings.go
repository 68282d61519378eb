package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/worker"
	"github.com/heraldconf/herald/shared/settings"
)

// ringWays are those in which news travels that a relay is measured with.
var ringWays = []way{ways[1], ways[2], ways[3]}

type ringsOptions struct {
	changes int
	redis   string
}

func ringsCommand() *cobra.Command {
	var o ringsOptions
	cmd := &cobra.Command{
		Use:   "rings",
		Short: "Time through a relay: controller, agent, agent, worker; and what its death costs",
		Long: `Runs a controller, an agent below it in a process of its own, an agent below that
one, and a worker. It commits one change after the other, and takes the time from
the answer to the PUT until the controller knows that the worker runs on it.

Then it kills the agent in the middle (kill -9), commits a change, sees that the
worker's last good is served all the while, starts the agent again, and takes the
time until the worker runs on the change; and once more where the agent below has
the controller as its second upstream, and the one in the middle stays dead.`,
		Example: "  go run ./cmd/bench rings\n  go run ./cmd/bench rings --changes 500",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.changes < 1 {
				return settings.Usagef("--changes is at least 1")
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().IntVar(&o.changes, "changes", 100, "how many changes are timed a way")
	cmd.Flags().StringVar(&o.redis, "redis", "", "HOST:PORT of a Redis to use (default: one of its own)")
	return cmd
}

func (o ringsOptions) run(ctx context.Context, out, progress io.Writer) error {
	redis, stop, err := redisAt(ctx, o.redis)
	if err != nil {
		return err
	}
	defer stop()
	var line []string
	for _, w := range ringWays {
		times, err := o.measure(ctx, w.bus(redis))
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		fmt.Fprintf(progress, "%-14s median %9s   p99 %9s   %d changes\n", w.name, round(at(times, 50)), round(at(times, 99)), len(times))
		line = append(line, fmt.Sprintf("%s %s", w.name, round(at(times, 50))))
	}
	restarted, err := killTheMiddle(ctx, false)
	if err != nil {
		return fmt.Errorf("the middle killed: %w", err)
	}
	passed, err := killTheMiddle(ctx, true)
	if err != nil {
		return fmt.Errorf("the middle killed for good: %w", err)
	}
	fmt.Fprintf(out, "three rings, median from PUT answered to the worker's verdict: %s; the middle killed: current %s after its restart, or %s after the kill by a second upstream\n",
		strings.Join(line, " · "), round(restarted), round(passed))
	return nil
}

func (o ringsOptions) measure(ctx context.Context, bus string) ([]time.Duration, error) {
	r, err := startRings(ctx, bus, false)
	if err != nil {
		return nil, err
	}
	defer r.stop()
	return r.timed(ctx, o.changes)
}

// Rings are a fleet with a relay: its agent in the middle is a process that can be
// killed.
type rings struct {
	*fleet
	middle *process
	far    string // the address of the agent below it
}

func startRings(ctx context.Context, bus string, second bool) (*rings, error) {
	f, err := startController(ctx, bus, 15*time.Second)
	if err != nil {
		return nil, err
	}
	r := &rings{fleet: f}
	f.workers = 1
	if err := r.fill(bus, second); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *rings) fill(bus string, second bool) (err error) {
	r.middle, err = startProcess(r.ctx, childConfig{
		ID: "middle", Upstream: []string{r.controller}, CacheDir: filepath.Join(r.folder, "middle"), Bus: bus,
	})
	if err != nil {
		return err
	}
	upstream := []string{r.middle.address}
	if second {
		upstream = append(upstream, r.controller)
	}
	silent := slog.New(slog.DiscardHandler)
	r.far, err = r.start(func(ctx context.Context, l net.Listener) error {
		return agent.Run(ctx, agent.Config{Listener: l, ID: "far", Upstream: upstream, CacheDir: filepath.Join(r.folder, "far"), Bus: bus}, silent)
	})
	if err != nil {
		return err
	}
	_, err = r.start(func(ctx context.Context, l net.Listener) error {
		return worker.Run(ctx, worker.Config{
			Listener: l, ID: "worker", Agent: r.far, Namespace: "bench", StateDir: filepath.Join(r.folder, "worker"), Bus: bus, AllowHosts: []string{"127.0.0.1"},
		}, silent)
	})
	return err
}

func (r *rings) stop() {
	if r.middle != nil {
		r.middle.kill()
	}
	r.fleet.stop()
}

// killTheMiddle returns the time until the worker was current again: after the
// restart of the agent in the middle or, with a second upstream, after its death.
func killTheMiddle(ctx context.Context, second bool) (time.Duration, error) {
	r, err := startRings(ctx, "", second)
	if err != nil {
		return 0, err
	}
	defer r.stop()
	if err := r.change(ctx, 0); err != nil {
		return 0, err
	}
	r.middle.kill()
	began := time.Now()
	if _, err := r.put(ctx, 1); err != nil {
		return 0, err
	}
	if !second {
		for range 20 { // what nobody above can confirm is served all the same
			if err := r.serves(ctx); err != nil {
				return 0, err
			}
			time.Sleep(50 * time.Millisecond)
		}
		began = time.Now()
		if err := r.middle.restart(r.ctx); err != nil {
			return 0, err
		}
	}
	if err := r.current(ctx); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// serves returns an error unless the agent below serves its last good.
func (r *rings) serves(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.far+"/v1/namespaces/bench/snapshot", nil)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	var snapshot struct{ Revision int }
	if err := r.do(request, &snapshot); err != nil {
		return fmt.Errorf("the last good is not served: %w", err)
	}
	if snapshot.Revision != r.revision-1 {
		return errors.New("the agent below has what it cannot have")
	}
	return nil
}
