package herald_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// titleOf is the command line of a process as anybody on the host may read it, and
// those of what it has started.
func titleOf(t *testing.T, pid int) string {
	t.Helper()
	self := filepath.Join("/proc", strconv.Itoa(pid))
	title, err := os.ReadFile(filepath.Join(self, "cmdline"))
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob(filepath.Join(self, "task", "*", "children"))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		children, _ := os.ReadFile(task) // a thread that has ended has none
		for child := range strings.FieldsSeq(string(children)) {
			text, _ := os.ReadFile(filepath.Join("/proc", child, "cmdline")) // nor has a process
			title = append(append(title, '\n'), text...)
		}
	}
	return string(title)
}

// A tokenRun is the four programs with tokens from files and variables, as the
// documents have it.
type tokenRun struct {
	t          *testing.T
	data       string
	secrets    map[string]string
	written    []func() string
	pids       map[string]int
	controller *program
	services   []*program
}

func startWithTokens(t *testing.T) *tokenRun {
	t.Helper()
	folder := t.TempDir()
	r := &tokenRun{t: t, data: filepath.Join(folder, "data"), secrets: map[string]string{"given": "given-from-outside-4f1c"}, pids: map[string]int{}}
	given, tokens := filepath.Join(folder, "given"), filepath.Join(folder, "tokens")
	if err := os.WriteFile(given, []byte(r.secrets["given"]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.controller = r.service([]string{"HERALD_ADMIN_TOKEN_FILE=" + given}, "controller", "--db", filepath.Join(r.data, "c.db"), "--bootstrap-dir", tokens)
	for _, name := range []string{"admin", "publisher", "agent", "worker"} {
		text, err := os.ReadFile(filepath.Join(tokens, name+".token"))
		if err != nil {
			t.Fatal(err)
		}
		r.secrets[name] = strings.TrimSpace(string(text))
	}
	agent := r.service([]string{"HERALD_TOKEN_FILE=" + filepath.Join(tokens, "agent.token"), "HERALD_ACCEPT_TOKEN=" + r.secrets["worker"]},
		"agent", "--id", "host-7", "--upstream", r.controller.url(), "--cache-dir", filepath.Join(r.data, "agent"), "--poll-interval", "1s")
	worker := r.service([]string{"HERALD_TOKEN=" + r.secrets["worker"]},
		"worker", "--id", "w-1", "--agent", agent.url(), "--state-dir", filepath.Join(r.data, "worker"), "--poll-interval", "1s")
	call(t, http.MethodPut, r.controller.url()+"/v1/namespaces/demo/configs/fetch", []byte(`{"url":"`+agent.url()+`/healthz"}`), "Authorization", "Bearer "+r.secrets["publisher"])
	await(t, 30*time.Second, "the worker runs on it", func() bool { return running(t.Context(), worker.url()) == 1 })
	r.tool([]string{"HERALD_TOKEN_FILE=" + filepath.Join(tokens, "publisher.token")}, "watch", "demo", "--server", r.controller.url())
	r.tool([]string{"HERALD_TOKEN=" + r.secrets["worker"]}, "exec", "--agent", agent.url(), "-n", "demo", "--env", "--", "sleep", "1000")
	return r
}

func (r *tokenRun) service(env []string, name string, args ...string) *program {
	r.t.Helper()
	p := startProgramWith(r.t, env, name, args...)
	r.pids[name], r.services = p.cmd.Process.Pid, append(r.services, p)
	return p
}

// tool starts herald, which is called by its command, and keeps what it says.
func (r *tokenRun) tool(env []string, args ...string) {
	r.t.Helper()
	folder, err := programs()
	if err != nil {
		r.t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(filepath.Join(folder, "herald"), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &said, &said
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	end := func() string {
		_ = cmd.Process.Signal(syscall.SIGTERM) // a kill would leave its program behind
		dead := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer dead.Stop()
		_ = cmd.Wait()
		return said.String()
	}
	r.t.Cleanup(func() { end() })
	r.pids[args[0]], r.written = cmd.Process.Pid, append(r.written, end)
}

// end stops all, and returns all that was written: logs, output, and the files that
// are no token's own.
func (r *tokenRun) end() string {
	r.t.Helper()
	var all strings.Builder
	for _, end := range r.written {
		all.WriteString(end())
	}
	for i := range r.services {
		p := r.services[len(r.services)-1-i] // the controller last
		p.stop()
		all.WriteString(p.log.String())
	}
	err := filepath.WalkDir(r.data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		all.Write(body)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all.String()
}

// TestNoTokenInAnyTitle reads the titles of all programs while they run, and of what
// they started, and looks for each token in them, and in what they have written.
func TestNoTokenInAnyTitle(t *testing.T) {
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("there is no /proc here")
	}
	r := startWithTokens(t)
	await(t, 30*time.Second, "the program of herald exec runs", func() bool {
		return strings.HasSuffix(titleOf(t, r.pids["exec"]), "\nsleep\x001000\x00")
	})
	for what, pid := range r.pids {
		title := titleOf(t, pid)
		if !strings.Contains(title, what) {
			t.Errorf("the title of %s was not read: %q", what, title)
		}
		for name, secret := range r.secrets {
			if strings.Contains(title, secret) {
				t.Errorf("the title of %s shows the token %s: %q", what, name, title)
			}
		}
	}
	written := r.end()
	if !strings.Contains(written, "/healthz") || !strings.Contains(written, "controller serves") || !strings.Contains(written, "revision") {
		t.Errorf("not all was read that was written: %d bytes", len(written))
	}
	for name, secret := range r.secrets {
		if strings.Contains(written, secret) {
			t.Errorf("the token %s was written to a log or a file", name)
		}
	}
}
