package command_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heraldconf/herald/services/agent/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const plenty = 30 * time.Second

func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

func TestHowCommandsEnd(t *testing.T) {
	runner := command.Runner{Dir: t.TempDir()}
	for _, c := range []struct {
		command []string
		want    []string // none = it ended well
	}{
		{sh("echo fine; exit 0"), nil},
		{sh("echo out; echo err >&2; exit 3"), []string{"/bin/sh exited with 3\n", "out\n", "err\n"}},
		{sh("kill -TERM $$"), []string{"ended by signal: terminated"}},
		{[]string{"/no/such/program", "-x"}, []string{"/no/such/program did not run", "no such file"}},
		{[]string{"/etc"}, []string{"did not run", "permission denied"}},
		{[]string{"sh", "-c", "echo \"$0 $1\"; exit 1", "$HOME;", "a b"}, []string{"$HOME; a b"}}, // no shell reads it
	} {
		err := runner.Run(t.Context(), c.command, "/f", plenty)
		if (err == nil) != (c.want == nil) {
			t.Errorf("%q: %v", c.command, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v; want %q", c.command, err, part)
			}
		}
	}
}

func TestWhatACommandIsTold(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HERALD_TOKEN", "secret-token")
	t.Setenv("OTHER", "kept")
	err := command.Runner{Dir: dir}.Run(t.Context(), sh("env; pwd; cat; exit 1"), "/etc/f", plenty)
	said := err.Error()
	if strings.Contains(said, "secret-token") || !strings.Contains(said, "OTHER=kept") || !strings.Contains(said, "HERALD_FILE=/etc/f") || !strings.Contains(said, dir) {
		t.Error(said)
	}
}

// What floods is kept by its end alone.
func TestFlood(t *testing.T) {
	err := command.Runner{Dir: "/"}.Run(t.Context(), sh("yes flooded | head -c 20000000; echo; echo the last line; exit 1"), "/f", plenty)
	if err == nil || len(err.Error()) > 5000 || !strings.HasSuffix(err.Error(), "the last line\n") || !strings.Contains(err.Error(), "1\nflooded\n") {
		t.Errorf("%.300v", err)
	}
}

// A command that hangs is killed with all that it started.
func TestHang(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	err := command.Runner{Dir: "/"}.Run(t.Context(), sh("echo about to hang; sleep 600 & echo $! > "+pids+"; sleep 600"), "/f", time.Second)
	if err == nil || !strings.Contains(err.Error(), "took longer than 1s and was killed") || !strings.Contains(err.Error(), "about to hang") {
		t.Fatal(err)
	}
	gone(t, pids)
}

// The agent's stop ends what runs.
func TestStop(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 2000 {
			if content, err := os.ReadFile(pids); err == nil && len(content) > 0 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
	}()
	err := command.Runner{Dir: "/"}.Run(ctx, sh("trap '' TERM INT; sleep 600 & echo $! > "+pids+"; wait"), "/f", plenty)
	if err == nil || !strings.Contains(err.Error(), "stopped with the agent") {
		t.Fatal(err)
	}
	gone(t, pids)
}

// A command that starts a daemon has ended well, though that holds its output open;
// the daemon lives on.
func TestDaemon(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	began := time.Now()
	if err := (command.Runner{Dir: "/"}).Run(t.Context(), sh("sleep 600 & echo $! > "+pids), "/f", plenty); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("waited %v for a daemon", took)
	}
	pid := pidOf(t, pids)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the daemon is gone: %v", err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func pidOf(t *testing.T, file string) int {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// gone waits until a process has ended; a zombie that nobody reaps has.
func gone(t *testing.T, file string) {
	t.Helper()
	pid := pidOf(t, file)
	for range 2000 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}
