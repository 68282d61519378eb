package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/services/worker"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/settings"
	"github.com/heraldconf/herald/shared/telemetry"
)

// An upper is all of Herald in one process.
type upper struct {
	token        func() string // what the agent brings to the controller, where its database has tokens
	dataDir      string
	listen       [3]string // controller, agent, worker
	logLevel     string
	pollInterval time.Duration
	templates    string   // of files that the agent makes from configs; "" for none
	roots        []string // the folders that these may be made in
	trust        string   // a file of the keys whose signatures count for the worker; none for the agent's word
}

// upListens are the flags that say where the three listen.
var upListens = [3]string{"listen", "agent-listen", "worker-listen"}

func (t *tool) up() *cobra.Command {
	u := &upper{token: func() string { return t.token.Reveal() }}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run all of Herald in one process: a controller, an agent and a worker",
		Long: `Runs a controller, an agent and a worker in one process, on SQLite and a bus in
memory: the quickest way to see a change travel, and enough for one host. The
first start commits the config demo/fetch, on which the worker runs.

It goes on until Ctrl-C, and finds everything again at the next start. Where tokens
were made, --token is what the agent brings to the controller. With --templates the agent
makes files from configs, for programs that cannot be changed: docs/files.md says how.
The agent pins the signing keys that it sees first; with --trust FILE the worker too runs on
nothing but what the keys in it have signed: herald keys list -o json > FILE.`,
		Example: `  herald up
  herald up --data-dir /tmp/herald --listen 127.0.0.1:9080 --agent-listen 127.0.0.1:9081 --worker-listen 127.0.0.1:9082
  herald up --templates files.yaml --template-roots /etc/nginx
  herald up --trust keys.json`,
		Args: arguments(0, 0, "herald up"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return u.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&u.dataDir, "data-dir", "./herald-data", "folder of the database, the agent's cache and the worker's last good")
	flags.StringVar(&u.listen[0], upListens[0], "127.0.0.1:8080", "where the controller listens")
	flags.StringVar(&u.listen[1], upListens[1], "127.0.0.1:8081", "where the agent listens")
	flags.StringVar(&u.listen[2], upListens[2], "127.0.0.1:8082", "where the worker listens")
	flags.DurationVar(&u.pollInterval, "poll-interval", 15*time.Second, "how often is asked where no notification comes")
	flags.StringVar(&u.templates, "templates", "", "a YAML file: files that the agent makes from configs (default: none)")
	flags.StringSliceVar(&u.roots, "template-roots", nil, "the folders that these files may be made in, comma-separated absolute paths")
	flags.StringVar(&u.trust, "trust", "none", "whose signatures count for the worker: a file with the answer of /v1/signing-keys, or none: then the agent's word is enough")
	flags.StringVar(&u.logLevel, "log-level", "warn", "what is logged: debug, info, warn or error")
	return cmd
}

// run opens the three listeners first, so that each service knows where the
// others are, and then runs all three until ctx ends or one of them fails.
func (u *upper) run(ctx context.Context, out, log io.Writer) error {
	logger, err := telemetry.NewLogger(log, "text", u.logLevel)
	if err != nil {
		return settings.Usagef("--log-level: %w", err)
	}
	listeners, err := u.open(ctx)
	if err != nil {
		return err
	}
	var address [3]string
	for i, l := range listeners {
		address[i] = "http://" + l.Addr().String()
	}
	services := u.services(listeners, address, "memory://up-"+rand.Text(), logger)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stops := make([]func(), 0, len(services))
	for _, run := range services {
		stops = append(stops, embark(ctx, run, cancel))
	}
	go greet(ctx, out, u.dataDir, address)
	<-ctx.Done()
	for _, stop := range slices.Backward(stops) { // the worker first: who it says goodbye to is there yet
		stop()
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	fmt.Fprintln(log, "stopped; the next 'herald up' goes on from", u.dataDir)
	return nil
}

// embark runs a service that outlives ctx until stop is called, which waits for it.
// Where it ends otherwise, cancel is told.
func embark(ctx context.Context, run func(context.Context) error, cancel context.CancelCauseFunc) (stop func()) {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { cancel(run(ctx)) })
	return func() { end(); running.Wait() }
}

func (u *upper) open(ctx context.Context) ([3]net.Listener, error) {
	var listeners [3]net.Listener
	for i, address := range u.listen {
		l, err := httpapi.Listen(ctx, address, false, "tokens: run the services as programs of their own")
		if err != nil {
			for _, opened := range listeners[:i] {
				_ = opened.Close()
			}
			return listeners, settings.Usagef("--%s: %w", upListens[i], err)
		}
		listeners[i] = l
	}
	return listeners, nil
}

func (u *upper) services(l [3]net.Listener, address [3]string, bus string, logger *slog.Logger) [3]func(context.Context) error {
	return [3]func(context.Context) error{
		func(ctx context.Context) error {
			return controller.Run(ctx, controller.Config{
				Listener: l[0], DB: filepath.Join(u.dataDir, "controller.db"), Bus: bus, PollInterval: u.pollInterval,
				Demo: address[0] + "/healthz", Version: version,
			}, logger)
		},
		func(ctx context.Context) error {
			return agent.Run(ctx, agent.Config{
				Listener: l[1], Upstream: []string{address[0]}, CacheDir: filepath.Join(u.dataDir, "agent"), Bus: bus, Version: version, Token: u.token(),
				Templates: u.templates, TemplateRoots: u.roots,
			}, logger)
		},
		func(ctx context.Context) error {
			return worker.Run(ctx, worker.Config{
				Listener: l[2], Agent: address[1], Namespace: "demo", StateDir: filepath.Join(u.dataDir, "worker"), Bus: bus, Trust: u.trust,
				AllowHosts: []string{"127.0.0.1", "localhost", "[::1]"}, Version: version,
			}, logger)
		},
	}
}

// greet waits until the worker runs on something, and says what to try.
func greet(ctx context.Context, out io.Writer, dataDir string, address [3]string) {
	if !ready(ctx, address[2]) {
		return
	}
	fmt.Fprintf(out, `Herald is up, with its data in %[1]s:

  controller  %[2]s    where you change configuration
  agent       %[3]s    fetches it and keeps it on disk
  worker      %[4]s    runs on it: config demo/fetch

Try, in another shell:

  curl -i %[4]s/hit
  echo '{"url":"%[3]s/v1/status"}' | %[5]s put demo/fetch -m "ask the agent" --wait 100%%%[6]s
  curl -i %[4]s/hit
  %[5]s fleet demo%[6]s

Ctrl-C stops all three.
`, dataDir, address[0], address[1], address[2], invocation(), server(address[0]))
}

// invocation is how this program is called where it stands.
func invocation() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/herald"
	}
	return "herald"
}

// server is the flag that the commands need for a controller elsewhere.
func server(address string) string {
	if address == "http://127.0.0.1:8080" {
		return ""
	}
	return " --server " + address
}

// ready waits until a service says that it is, or ctx ends.
func ready(ctx context.Context, address string) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/readyz", nil)
		if err != nil {
			return false
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return true
			}
		}
	}
}
