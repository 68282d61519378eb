package scripts_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	service "github.com/heraldconf/herald/services/controller"
)

// A workshop is a git repository, a controller, and the real herald between them.
type workshop struct {
	t          *testing.T
	repository string
	env        []string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{t: t, repository: t.TempDir()}
	programs := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", programs+"/herald", "../../cmd/herald").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- service.Run(ctx, service.Config{
			DB: filepath.Join(t.TempDir(), "c.db"), PollInterval: 15 * time.Second, Listener: listener,
		}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	w.env = append(os.Environ(), "HERALD_SERVER=http://"+listener.Addr().String(),
		"HERALD_TOKEN=", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	w.run(0, "git", "init", "--quiet", "--initial-branch=main", w.repository)
	return w
}

// run runs a program that must end with that code, and returns what it wrote.
func (w *workshop) run(code int, program string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), program, args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		w.t.Fatalf("%s: %v; run ./deploy/test, which installs what it can", program, err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		w.t.Fatalf("%s %v ended with %d, want %d: %s", program, args, got, code, &out)
	}
	return out.String()
}

// commit makes the files of the repository those, and commits them.
func (w *workshop) commit(message string, files map[string]string) {
	w.t.Helper()
	_ = os.RemoveAll(filepath.Join(w.repository, "configs"))
	for name, text := range files {
		path := filepath.Join(w.repository, "configs", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.run(0, "git", "-C", w.repository, "add", "-A")
	w.run(0, "git", "-C", w.repository, "commit", "--quiet", "-m", message)
}

func TestApplyFromGit(t *testing.T) {
	w := newWorkshop(t)
	w.commit("begin", map[string]string{"payments/limits.json": "{\"rps\": 50}\n", "payments/motd.txt": "hello\n", "search/ranking.yaml": "depth: 3\n"})
	w.run(0, "./apply-from-git", "--dry-run", w.repository)
	w.run(3, "herald", "get", "payments/limits")
	w.run(0, "./apply-from-git", w.repository)
	if got := w.run(0, "herald", "get", "payments/limits"); got != "{\"rps\": 50}\n" {
		t.Errorf("the bytes came as %q", got)
	}
	if got := w.run(0, "herald", "history", "payments"); !strings.Contains(got, "begin (git ") {
		t.Errorf("history does not lead back to git: %s", got)
	}
	w.run(0, "./apply-from-git", w.repository) // again: nothing to do
	if got := w.run(0, "herald", "history", "payments", "-o", "json"); strings.Count(got, `"revision":`) != 1 {
		t.Errorf("the same made another revision: %s", got)
	}

	w.commit("without a greeting", map[string]string{"payments/limits.json": "{\"rps\": 60}\n", "search/ranking.yaml": "depth: [\n"})
	w.run(5, "./apply-from-git", "--prune", w.repository) // search is refused, payments is not
	w.run(3, "herald", "get", "payments/motd")
	if got := w.run(0, "herald", "get", "search/ranking"); got != "depth: 3\n" {
		t.Errorf("what was refused was written: %q", got)
	}
	w.run(0, "./apply-from-git", "--ref", "HEAD~1", w.repository)
	if got := w.run(0, "herald", "get", "payments/motd"); got != "hello\n" {
		t.Errorf("an older commit gave %q", got)
	}

	for _, wrong := range []struct {
		code int
		args []string
	}{
		{2, nil}, {2, []string{"--colour", w.repository}}, {2, []string{"a", "b", "c"}}, {2, []string{w.repository, "--ref"}},
		{3, []string{w.repository, "nowhere"}}, {3, []string{"--ref", "nowhere", w.repository}}, {7, []string{w.repository + "/nowhere"}}, {0, []string{"--help"}},
	} {
		w.run(wrong.code, "./apply-from-git", wrong.args...)
	}
}
