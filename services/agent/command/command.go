// Package command runs commands of the host for the files that an agent makes:
// without a shell, bounded in time and output. It knows no configs.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// drain is how long the output of a command is waited for once it has ended: what
// it left running in the background may hold that open for ever.
const drain = 2 * time.Second

// A Runner runs commands. Each has a process group of its own, which is killed as
// one when its time is over or the agent stops.
type Runner struct {
	Dir string // where they run
}

// Run returns nil if the command ended with 0 within that time. The error says how
// else, and quotes the end of what it printed. HERALD_FILE tells the command of
// which file it is; nothing else that begins with HERALD_ is handed on, since the
// agent's secrets do.
func (r Runner) Run(ctx context.Context, command []string, to string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var output tail
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the host's operator says what runs here
	cmd.Dir, cmd.Env = r.Dir, environment(to)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = drain
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and left something that holds its output open
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s\n%s", command[0], ending(ctx, err, within), &output)
}

// ending says how a command ended that did not end well.
func ending(ctx context.Context, err error, within time.Duration) string {
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("took longer than %v and was killed", within)
	case ctx.Err() != nil:
		return "was stopped with the agent"
	case exited && exit.Exited():
		return fmt.Sprintf("exited with %d", exit.ExitCode())
	case exited:
		return "ended by " + exit.String()
	}
	return "did not run: " + err.Error()
}

func environment(to string) []string {
	var kept []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "HERALD_") {
			kept = append(kept, variable)
		}
	}
	return append(kept, "HERALD_FILE="+to)
}

// maxTail is how much is kept of what a command prints.
const maxTail = 4 << 10

// A tail keeps the end of what is written to it. It is written to by one goroutine
// at a time, as os/exec promises for one writer of both outputs.
type tail struct {
	kept []byte
	cut  bool
}

// Write keeps the end of what came, and takes all of it.
func (t *tail) Write(b []byte) (int, error) {
	n := len(b)
	if len(b) > maxTail {
		b, t.cut = b[len(b)-maxTail:], true
	}
	if over := len(t.kept) + len(b) - maxTail; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
	t.kept = append(t.kept, b...)
	return n, nil
}

// String is what was kept, from the first whole line on where the beginning is
// cut off.
func (t *tail) String() string {
	text := string(t.kept)
	if _, rest, found := strings.Cut(text, "\n"); t.cut && found {
		text = rest
	}
	return text
}
