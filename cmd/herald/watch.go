package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

const (
	// watchHold is how long the server is asked to hold its answer.
	watchHold = 30 * time.Second
	// watchRest is the pause after an answer that came sooner than it was asked to.
	watchRest = time.Second
	// The pause after the n-th failure in a row is random, up to watchBackoff·2ⁿ
	// and never beyond watchCap.
	watchBackoff = 500 * time.Millisecond
	watchCap     = 10 * time.Second
)

func (t *tool) watch() *cobra.Command {
	return &cobra.Command{
		Use:   "watch NAMESPACE",
		Short: "Print each change of a namespace as it comes",
		Long: `Prints one line a revision as it comes, until it is interrupted: the names that were
added (+), changed (~) and removed (-), or with -o json an object of namespace,
revision, added, changed and removed. It asks no more often than the server lets
it: requests are held until something changes. An outage of the server is waited
out; changes made meanwhile are printed after it. Of a config that changed several
times between two answers only the last revision is seen.`,
		Example: `  herald watch payments
  herald watch payments -o json | while read -r line; do ./reload "$line"; done`,
		Args: arguments(1, 1, "herald watch payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runWatch(cmd, c, args[0])
		}),
		ValidArgsFunction: t.completeNamespace,
	}
}

func (t *tool) runWatch(cmd *cobra.Command, c *client.Client, arg string) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	w := &watcher{tool: t, cmd: cmd, client: c, namespace: namespace}
	if err := w.run(cmd.Context()); cmd.Context().Err() == nil {
		return err
	}
	return nil // interrupted, which is how a watch ends
}

// A watcher follows one namespace.
type watcher struct {
	*tool
	cmd       *cobra.Command
	client    *client.Client
	namespace config.Name
	held      *config.Snapshot
	failures  int // in a row
}

// run returns the error that no waiting mends, or that of ctx. The first answer
// has to come: a wrong address would otherwise be waited out for ever.
func (w *watcher) run(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for {
		asked := time.Now()
		news, err := w.next(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !passing(err) {
			return err
		}
		rest(ctx, w.pause(err, news || time.Since(asked) >= watchRest))
	}
}

// begin finds out what stands before the first change.
func (w *watcher) begin(ctx context.Context) error {
	held, err := w.client.Snapshot(ctx, w.namespace, "", 0)
	if absent(err) {
		say(w.cmd, "%s is not written yet; waiting for its first revision", w.namespace)
		return nil
	}
	if err != nil {
		return err
	}
	w.held = held
	say(w.cmd, "watching %s from revision %d on", w.namespace, held.Revision)
	return nil
}

// next asks once, and prints what is new, if anything is.
func (w *watcher) next(ctx context.Context) (news bool, err error) {
	var etag config.ETag
	if w.held != nil {
		etag = w.held.ETag
	}
	newer, err := w.client.Snapshot(ctx, w.namespace, etag, watchHold)
	if absent(err) {
		return false, nil // it is not written yet; a 404 is never a deletion
	}
	if err != nil || newer == nil {
		return false, err
	}
	for _, step := range stepsBetween(w.held, newer) {
		if err := w.print(step); err != nil {
			return false, err
		}
	}
	w.held = newer
	return true, nil
}

// pause is how long to wait before asking again. held says that the answer took
// as long as it should, or was worth it.
func (w *watcher) pause(err error, held bool) time.Duration {
	if err == nil {
		if w.failures > 0 {
			say(w.cmd, "%s answers again", w.client.Server())
		}
		w.failures = 0
		if held {
			return 0
		}
		return watchRest
	}
	if w.failures == 0 {
		say(w.cmd, "%s; trying again", err)
	}
	limit := min(watchCap, watchBackoff<<min(w.failures, 10))
	w.failures++
	least := time.Duration(0)
	if problem, ok := errors.AsType[*httpapi.Problem](err); ok {
		least = problem.RetryAfter
	}
	return max(least, rand.N(limit))
}

// passing reports whether an error may go away by itself.
func passing(err error) bool { return exitCode(err) == exitUnavailable }

func absent(err error) bool {
	problem, ok := errors.AsType[*httpapi.Problem](err)
	return ok && problem.Code == "not_found"
}

func (w *watcher) print(s step) error {
	if w.output == asJSON {
		return writeJSON(w.cmd.OutOrStdout(), s)
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%s revision %d", s.Namespace, s.Revision)
	for _, part := range []struct {
		mark  string
		names []config.Name
	}{{"+", s.Added}, {"~", s.Changed}, {"-", s.Removed}} {
		for _, name := range part.names {
			line.WriteString(" " + part.mark + string(name))
		}
	}
	return writeLine(w.cmd, "%s", strings.TrimSpace(line.String()))
}
