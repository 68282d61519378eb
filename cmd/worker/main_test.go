package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

const patience = 20 * time.Second

// The test's own program is the worker too: real processes, without a build.
func TestMain(m *testing.M) {
	if os.Getenv("WORKER_IN_A_TEST") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program prepares the worker as a process of its own, with none of the
// settings that the environment of the test may have.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...) //nolint:gosec // itself
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"WORKER_IN_A_TEST=1", "PATH=" + os.Getenv("PATH")}
	return cmd
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// begin starts a worker process that is killed when the test ends.
func begin(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := program(t, args...)
	cmd.Stderr = &bytes.Buffer{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the worker said:\n%s", cmd.Stderr)
		}
	})
	return cmd
}

// hit asks until the answer is what is wanted, and returns how long that took.
func hit(t *testing.T, address, revision, want string) time.Duration {
	t.Helper()
	began := time.Now()
	var last string
	for time.Since(began) < patience {
		answer, err := http.Get("http://" + address + "/hit")
		if err != nil {
			last = err.Error()
			time.Sleep(5 * time.Millisecond)
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if last = string(body); last == want && answer.Header.Get("Herald-Revision") == revision {
			return time.Since(began)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("/hit says %s, want %s at %s", last, want, revision)
	return 0
}

// one serves demo/fetch as it stands.
type one atomic.Pointer[config.Snapshot]

func (o *one) Latest(context.Context, config.Name) (*config.Snapshot, <-chan struct{}, error) {
	return (*atomic.Pointer[config.Snapshot])(o).Load(), nil, nil
}

func agentOf(t *testing.T, revision config.Revision, document string) *httptest.Server {
	t.Helper()
	var source one
	(*atomic.Pointer[config.Snapshot])(&source).Store(config.Seal("demo", config.Position{Epoch: "E1", Revision: revision}, []config.Entry{
		{Name: "fetch", Revision: revision, Document: config.Document{MediaType: "application/json", Body: []byte(document)}},
	}, nil))
	handler := pull.NewHandler(&source)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/namespaces/{ns}/snapshot", func(w http.ResponseWriter, r *http.Request) { _ = handler.ServeSnapshot(w, r) })
	mux.HandleFunc("POST /v1/reports", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestKilledWorkerRestartsOnItsLastGoodWithNobodyElseAlive(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("alive")) }))
	defer target.Close()
	agent, address, folder := agentOf(t, 7, fmt.Sprintf(`{"url":%q}`, target.URL)), freeAddress(t), t.TempDir()
	args := []string{"--listen", address, "--agent", agent.URL, "--state-dir", folder}
	first := begin(t, args...)
	hit(t, address, "7", "alive")
	agent.CloseClientConnections()
	agent.Close()
	for range 3 {
		if err := first.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = first.Wait()
		first = begin(t, args...)
		if took := hit(t, address, "7", "alive"); took > time.Second {
			t.Errorf("it took %v until the last good was served", took)
		}
	}
}

func TestTerminatedWorkerEndsCleanly(t *testing.T) {
	address := freeAddress(t)
	agent := agentOf(t, 1, `{"url":"http://127.0.0.1:1/"}`)
	cmd := program(t, "--listen", address, "--agent", agent.URL)
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	lines := bufio.NewScanner(logs)
	for lines.Scan() && !strings.Contains(lines.Text(), "running on a newer revision") {
		continue
	}
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, logs)
	if err := cmd.Wait(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("ended with %v after %v", err, time.Since(began))
	}
}

func TestRefusalsAreOneLineAndCodeTwo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args        []string
		environment string
		says        string
	}{
		{[]string{"--nonsense"}, "", "--nonsense"},
		{[]string{"surplus"}, "", "surplus"},
		{[]string{"--poll-interval", "soon"}, "", "--poll-interval"},
		{nil, "HERALD_POLL_INTERVAL=soon", "HERALD_POLL_INTERVAL"},
		{[]string{"--agent", "nowhere"}, "", "--agent"},
		{nil, "HERALD_AGENT=nowhere", "http://127.0.0.1:8081"},
		{[]string{"--bus", "redis://:hunter2@"}, "", "--bus"},
		{[]string{"--listen", "0.0.0.0:0"}, "", "--allow-anonymous"},
		{[]string{"--state-dir", file}, "", "--state-dir: "},
		{nil, "HERALD_TOKEN_FILE=/nonexistent", "HERALD_TOKEN_FILE"},
		{[]string{"--log-level", "loud"}, "", "loud"},
	} {
		cmd := program(t, append([]string{"--listen", "127.0.0.1:0"}, c.args...)...)
		cmd.Env = append(cmd.Env, c.environment)
		out, err := cmd.CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 {
			t.Errorf("%v %s: %v, want code 2", c.args, c.environment, err)
		}
		if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, c.says) || strings.Contains(text, "hunter2") {
			t.Errorf("%v %s: said %q, want one line that speaks of %s", c.args, c.environment, text, c.says)
		}
	}
}

func TestHealth(t *testing.T) {
	target := httptest.NewServer(http.NotFoundHandler())
	defer target.Close()
	agent, address := agentOf(t, 1, fmt.Sprintf(`{"url":%q}`, target.URL)), freeAddress(t)
	if out, err := program(t, "health", "--listen", address).CombinedOutput(); err == nil {
		t.Errorf("nobody is there, and health says %s", out)
	}
	begin(t, "--listen", address, "--agent", agent.URL)
	hit(t, address, "1", "404 page not found\n")
	cmd := program(t, "health")
	cmd.Env = append(cmd.Env, "HERALD_LISTEN="+address)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ready\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestVersion(t *testing.T) {
	if out, err := program(t, "--version").CombinedOutput(); err != nil || !strings.Contains(string(out), version) {
		t.Errorf("%v: %s", err, out)
	}
}
