package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/settings"
)

// restartLimit is how soon the last good must be served after a start.
const restartLimit = time.Second

type restartsOptions struct {
	times int
	redis string
}

func restartsCommand() *cobra.Command {
	var o restartsOptions
	cmd := &cobra.Command{
		Use:   "restarts",
		Short: "Kill and restart agent and worker with everything else dead; count who serves its last good within 1 s",
		Long: `Builds the agent and the worker, runs them below a controller with Redis until both
have a config, and stops controller and Redis for good. Then, again and again, it
kills the agent (kill -9), starts it with nothing else alive, and takes the time
from the start of the process until its snapshot is the last good, byte for byte;
and the same with the worker, until it runs on the revision.

Exit code 1 if one of them took more than a second, or had something else. It
starts a redis-server of its own on a free port, unless --redis names one, which
then stays alive. Run it in the folder of the source.`,
		Example: "  go run ./cmd/bench restarts\n  go run ./cmd/bench restarts --times 1000",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.times < 1 {
				return settings.Usagef("--times is at least 1")
			}
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().IntVar(&o.times, "times", 100, "how often each is killed and started again")
	cmd.Flags().StringVar(&o.redis, "redis", "", "HOST:PORT of a Redis to use (default: one of its own, which dies)")
	return cmd
}

func (o restartsOptions) run(ctx context.Context, out io.Writer) error {
	folder, err := os.MkdirTemp("", "herald-restarts")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := build(ctx, folder); err != nil {
		return err
	}
	s, err := o.survivors(ctx, folder)
	if err != nil {
		return err
	}
	defer s.kill()
	agents, err := s.agent.again(ctx, o.times, s.agentServes)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	workers, err := s.worker.again(ctx, o.times, s.workerRuns)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	fmt.Fprintf(out, "%d of %d agents and %d of %d workers within %s; agents median %s, max %s; workers median %s, max %s\n",
		inTime(agents), o.times, inTime(workers), o.times, restartLimit,
		round(at(agents, 50)), round(agents[len(agents)-1]), round(at(workers, 50)), round(workers[len(workers)-1]))
	if inTime(agents) < o.times || inTime(workers) < o.times {
		return errors.New("the last good was not always served in time")
	}
	return nil
}

// inTime counts the times that are within the limit.
func inTime(times []time.Duration) (n int) {
	for _, each := range times {
		if each <= restartLimit {
			n++
		}
	}
	return n
}

// Survivors are an agent and a worker above which all is dead.
type survivors struct {
	agent, worker *program
	last          []byte // what the agent served last
	revision      int
}

// survivors brings both to a config, and ends controller, Redis and both of them.
func (o restartsOptions) survivors(ctx context.Context, folder string) (_ *survivors, err error) {
	redis, stopRedis := o.redis, func() {}
	if redis == "" {
		if redis, stopRedis, err = startRedis(ctx); err != nil {
			return nil, err
		}
	}
	defer stopRedis()
	bus := ways[1].bus(redis)
	f, err := startController(ctx, bus, 15*time.Second)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	if _, err := f.put(ctx, 0); err != nil {
		return nil, err
	}
	s := &survivors{revision: f.revision}
	defer func() {
		s.kill()
		if err != nil {
			err = fmt.Errorf("bring them up: %w", err)
		}
	}()
	if s.agent, err = newProgram(ctx, filepath.Join(folder, "agent"), "--id", "bench", "--upstream", f.controller, "--namespaces", "bench",
		"--cache-dir", filepath.Join(folder, "cache"), "--bus", bus); err != nil {
		return nil, err
	}
	if s.worker, err = newProgram(ctx, filepath.Join(folder, "worker"), "--id", "bench", "--agent", s.agent.url(), "--namespace", "bench",
		"--state-dir", filepath.Join(folder, "state"), "--bus", bus); err != nil {
		return nil, err
	}
	if err := s.agent.start(ctx); err != nil {
		return nil, err
	}
	if err := await(ctx, func() bool { s.last = read(ctx, s.agent.url()+benchSnapshot); return s.last != nil }); err != nil {
		return nil, err
	}
	if err := s.worker.start(ctx); err != nil {
		return nil, err
	}
	return s, await(ctx, func() bool { return s.workerRuns(ctx) == nil })
}

func (s *survivors) kill() {
	for _, each := range []*program{s.agent, s.worker} {
		if each != nil {
			each.kill()
		}
	}
}

const benchSnapshot = "/v1/namespaces/bench/snapshot"

// errNotYet means that a program does not answer, or has nothing to serve.
var errNotYet = errors.New("not yet")

// agentServes returns an error unless the agent serves its last good: errNotYet,
// or another one if it serves something else.
func (s *survivors) agentServes(ctx context.Context) error {
	switch body := read(ctx, s.agent.url()+benchSnapshot); {
	case body == nil:
		return errNotYet
	case string(body) != string(s.last):
		return fmt.Errorf("it serves %.200s", body)
	}
	return nil
}

// workerRuns is agentServes for the worker, by its status.
func (s *survivors) workerRuns(ctx context.Context) error {
	var status struct{ Running *struct{ Revision int } }
	if json.Unmarshal(read(ctx, s.worker.url()+"/v1/status"), &status) != nil || status.Running == nil {
		return errNotYet
	}
	if status.Running.Revision != s.revision {
		return fmt.Errorf("it runs on revision %d, not on %d", status.Running.Revision, s.revision)
	}
	return nil
}

// read returns the body of a 200, nil for anything else.
func read(ctx context.Context, url string) []byte {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil
	}
	client := http.Client{Timeout: restartLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil
	}
	return body
}

// again starts a program so often, with nothing else alive, and returns the sorted
// times until it was well.
func (p *program) again(ctx context.Context, times int, well func(context.Context) error) ([]time.Duration, error) {
	took := make([]time.Duration, 0, times)
	for range times {
		began := time.Now()
		if err := p.start(ctx); err != nil {
			return nil, err
		}
		var wrong error
		err := await(ctx, func() bool { wrong = well(ctx); return !errors.Is(wrong, errNotYet) })
		took = append(took, time.Since(began))
		p.kill()
		if err := errors.Join(err, wrong); err != nil {
			return nil, err
		}
	}
	slices.Sort(took)
	return took, nil
}
