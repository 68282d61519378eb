package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/environ"
	"github.com/heraldconf/herald/shared/sdk"
	"github.com/heraldconf/herald/shared/settings"
	"github.com/heraldconf/herald/shared/supervise"
	"github.com/heraldconf/herald/shared/telemetry"
	"github.com/heraldconf/herald/shared/trust"
)

// startPatience is how long the program waits at its start for something newer than the last
// good, so that it is not started on that one only to be started anew.
const startPatience = time.Second

// An executor runs a program on a namespace.
type executor struct {
	token func() string

	namespace, agent, id, stateDir       string
	trust                                string // whose signatures count: a file of keys, or none
	keys                                 config.Keys
	environment                          bool
	reaction                             supervise.Reaction
	grace, settle, timeout, pollInterval time.Duration
	logFormat, logLevel                  string
	logger                               *slog.Logger
}

func (t *tool) exec() *cobra.Command {
	e := &executor{token: func() string { return t.token.Reveal() }}
	cmd := &cobra.Command{
		Use:   "exec -n NAMESPACE -- PROGRAM [ARGUMENTS]",
		Short: "Run a program on the configs of a namespace, anew on each change",
		Long: `Runs a program that knows nothing of Herald on the configs of a namespace. It waits
for the first configuration, starts the program, and on each change starts it anew.
It is a worker of the fleet: herald fleet shows what it runs on, and herald put
--wait waits for it.

With --env the configs are the program's environment: limits {"rps":50} is
LIMITS_RPS=50, a text config motd is MOTD, and lists are JSON. A change that leaves
these variables as they are does not touch the program. Configs that would make one
variable twice, or one that decides which code runs (PATH, LD_…), are rejected.
HERALD_EXEC_REVISION is the revision that the program was started on.

--on-change says what a change does: restart sends SIGTERM, waits up to --grace,
kills what is left and starts anew; signal:HUP (or another signal) is for programs
that read their configuration themselves, since the environment of a running process
cannot change; none only reports the revision.

A program that ends within --settle after a change is started again on the former
configuration, and the revision is rejected with its last lines. Where there is no
former one, or if it ends at another time, herald exec ends with its exit code,
128 + n if signal n ended it. With --state-dir the last good configuration is kept
there, and the next start needs no agent.

Signals are passed on; after SIGTERM the program has --grace to end. As the first
process of a container herald exec reaps orphans. --token is for the agent.`,
		Example: `  herald exec -n payments --env -- python3 server.py --port 8000
  herald exec -n web --on-change signal:HUP -- nginx -g "daemon off;"

  # In a Dockerfile:
  #   COPY --from=herald /usr/local/bin/herald /usr/local/bin/herald
  #   ENV HERALD_AGENT=http://agent:8081 HERALD_STATE_DIR=/var/lib/herald
  #   ENTRYPOINT ["herald", "exec", "-n", "payments", "--env", "--"]
  #   CMD ["python3", "server.py"]`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return settings.Usagef("no program to run; as in: herald exec -n payments --env -- python3 server.py")
			}
			return nil
		},
		RunE:                  e.run,
		DisableFlagsInUseLine: true,
	}
	e.flags(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("namespace", t.completeNamespaceFlag)
	return cmd
}

func (e *executor) flags(flags *pflag.FlagSet) {
	flags.SetInterspersed(false) // what follows the program is the program's
	flags.StringVarP(&e.namespace, "namespace", "n", "", "the namespace to run on")
	flags.BoolVar(&e.environment, "env", false, "put the configs into the program's environment")
	flags.Var(&e.reaction, "on-change", "what a change does to the program: restart, none or a signal as in signal:HUP")
	flags.DurationVar(&e.grace, "grace", 10*time.Second, "how long the program may take to stop before it is killed")
	flags.DurationVar(&e.settle, "settle", time.Second, "how long the program must live after a change for the change to be good")
	flags.DurationVar(&e.timeout, "timeout", 0, "how long to wait for the first configuration; 0 is for ever")
	flags.StringVar(&e.agent, "agent", sdk.DefaultAgent, "the agent's address")
	flags.StringVar(&e.id, "id", "", "the worker's name in the fleet (default HOST:PROGRAM)")
	flags.StringVar(&e.stateDir, "state-dir", "", "folder of the last good configuration (default none is kept)")
	flags.StringVar(&e.trust, "trust", "none", "whose signatures count: a file with the answer of /v1/signing-keys, or none: then the agent's word is enough")
	flags.DurationVar(&e.pollInterval, "poll-interval", 0, "how often to ask the agent; 0 is what it says")
	flags.StringVar(&e.logFormat, "log-format", "text", "how the log is written: text or json")
	flags.StringVar(&e.logLevel, "log-level", "info", "what is logged: debug, info, warn or error")
}

// run runs the program until it ends, and passes its exit code on.
func (e *executor) run(cmd *cobra.Command, args []string) error {
	program, err := e.program(cmd, args)
	if err != nil {
		return err
	}
	signals, stop := supervise.Signals()
	defer stop()
	if cmd.Context().Err() != nil {
		return nil // interrupted before there was somebody to hear it
	}
	// From here on signals are the supervisor's to heed, and the context of the
	// command, which they end, does not count.
	ctx, end := context.WithCancel(context.WithoutCancel(cmd.Context()))
	defer end()
	supervisor := supervise.New(program, signals)
	ended := make(chan error, 1)
	go func() {
		defer end()
		ended <- e.supervise(ctx, supervisor)
	}()
	watcher, err := e.watch(ctx, supervisor)
	if err != nil {
		return settings.Usagef("%w", err)
	}
	err = <-ended
	if _, ok := errors.AsType[crashed](err); ok {
		return errors.Join(err, watcher.Abandon())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: no configuration of %s from %s within %s: %s", errUnavailable, e.namespace, e.agent, e.timeout, plain(reasonOf(watcher.Status())))
	}
	return errors.Join(err, watcher.Close())
}

// reasonOf says why there is no configuration yet.
func reasonOf(s sdk.Status) string {
	switch {
	case s.LastRejected != nil:
		return s.LastRejected.Message
	case s.Agent.LastError != "":
		return s.Agent.LastError
	}
	return "the agent has not answered"
}

// supervise runs the program and returns how it ended: nil for well.
func (e *executor) supervise(ctx context.Context, supervisor *supervise.Supervisor) error {
	if e.timeout > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, e.timeout)
		defer end()
	}
	how, err := supervisor.Run(ctx)
	switch {
	case err != nil || how.Code == 0:
		return err
	case how.Asked:
		return programEnded(how.Code)
	}
	return crashed(how.Code)
}

// watch gives each configuration of the namespace to the supervisor.
func (e *executor) watch(ctx context.Context, supervisor *supervise.Supervisor) (*sdk.Value[supervise.Configuration], error) {
	e.logger.Info("waiting for the first configuration", "namespace", e.namespace, "agent", e.agent, "worker", e.id)
	return sdk.WatchNamespace(ctx, e.namespace, sdk.NamespaceOptions[supervise.Configuration]{
		Agent: e.agent, Token: e.token(), Worker: e.id, StateDir: e.stateDir, Interval: e.pollInterval, Trust: e.keys, Logger: e.logger,
		Build:    e.configuration,
		Patience: startPatience,
		OnChange: func(former, next supervise.Configuration) error {
			change := supervisor.Change
			if former.About != nil { // else there is none
				change = func(to supervise.Configuration) error { return supervisor.ChangeFrom(former, to) }
			}
			err := change(next)
			if errors.Is(err, context.Canceled) {
				<-ctx.Done() // which says to the SDK that this is no verdict
			}
			return err
		},
	})
}

// configuration is what the program is to have of the configs.
func (e *executor) configuration(configs sdk.Configs) (c supervise.Configuration, err error) {
	c.About = []string{"HERALD_EXEC_REVISION=" + strconv.FormatInt(int64(configs.Position().Revision), 10)}
	if e.environment {
		c.Variables, err = environ.Of(configs.All())
	}
	return c, err
}

// program is what the settings say, or what is wrong with them.
func (e *executor) program(cmd *cobra.Command, args []string) (p supervise.Program, err error) {
	if e.namespace == "" {
		return p, settings.Usagef("say the namespace to run on, as in: herald exec -n payments -- %s", args[0])
	}
	if _, err := parseNamespace(e.namespace); err != nil {
		return p, err
	}
	for name, d := range map[string]time.Duration{"grace": e.grace, "settle": e.settle, "timeout": e.timeout} {
		if d < 0 {
			return p, settings.Usagef("--%s: a negative time", name)
		}
	}
	if e.logger, err = telemetry.NewLogger(cmd.ErrOrStderr(), e.logFormat, e.logLevel); err != nil {
		return p, settings.Usagef("%w", err)
	}
	if e.keys, err = trust.ParseKeys(e.trust); err != nil {
		return p, settings.Usagef("--trust: %w", err)
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return p, settings.Usagef("the program cannot be run: %w", err)
	}
	if e.id == "" {
		e.id = workerOf(path)
	}
	return supervise.Program{
		Path: path, Args: args, Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		OnChange: e.reaction, EachChange: !e.environment, Grace: e.grace, Settle: e.settle,
		AdoptOrphans: true, Logger: e.logger,
	}, nil
}

// workerOf names the worker after the host and the program, where it can.
func workerOf(path string) string {
	host, err := os.Hostname()
	if err != nil {
		return "" // the SDK says so
	}
	if name := host + ":" + filepath.Base(path); config.CheckWorkerID(name) == nil {
		return name
	}
	return host
}
