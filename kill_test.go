package herald_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programs builds the three services and the tool once, as real programs. TestMain removes them.
var programs = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "herald-programs")
	if err != nil {
		return "", err
	}
	built = folder
	out, err := exec.Command("go", "build", "-o", folder, "./cmd/controller", "./cmd/agent", "./cmd/worker", "./cmd/herald").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return folder, nil
})

var built string // where programs has put them

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// A program is a process of its own, at an address that stays over its restarts.
type program struct {
	t       *testing.T
	name    string
	env     []string
	args    []string
	address string // host:port
	log     bytes.Buffer
	cmd     *exec.Cmd
}

// startProgram starts a service as a process and waits for it to answer.
func startProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	return startProgramWith(t, nil, name, args...)
}

// startProgramWith starts it with these variables too.
func startProgramWith(t *testing.T, env []string, name string, args ...string) *program {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, name: name, address: listener.Addr().String(), env: env, args: args}
	p.args = append(p.args, "--listen", p.address)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *program) url() string { return "http://" + p.address }

func (p *program) start() {
	p.t.Helper()
	folder, err := programs()
	if err != nil {
		p.t.Fatal(err)
	}
	p.log.Reset()
	p.cmd = exec.Command(filepath.Join(folder, p.name), p.args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	await(p.t, 15*time.Second, p.name+" answers", func() bool {
		_, _, err := try(p.t.Context(), http.MethodGet, p.url()+"/healthz", nil)
		return err == nil
	})
}

// kill sends SIGKILL: nothing is flushed, nobody is told.
func (p *program) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
	http.DefaultClient.CloseIdleConnections()
}

// stop sends SIGTERM and expects a clean end within 10 s.
func (p *program) stop() {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s ended with %v: %s", p.name, err, p.log.String())
	}
	p.cmd = nil
	if took := time.Since(began); took > 10*time.Second {
		p.t.Errorf("%s took %s to stop", p.name, took)
	}
}

// TestEverythingDies kills the controller, then the agent, then the worker, and
// starts the latter two again while it is dead: each serves its last good within
// a second, and all is well once the controller is back.
func TestEverythingDies(t *testing.T) {
	folder := t.TempDir()
	controller := startProgram(t, "controller", "--db", filepath.Join(folder, "controller.db"))
	agent := startProgram(t, "agent", "--id", "host-7", "--upstream", controller.url(), "--cache-dir", filepath.Join(folder, "agent"), "--poll-interval", "1s")
	worker := startProgram(t, "worker", "--id", "w-1", "--agent", agent.url(), "--state-dir", filepath.Join(folder, "worker"), "--poll-interval", "1s")
	first := put(t, controller.url(), "demo/configs/fetch", `{"url":"`+agent.url()+`/healthz"}`)
	await(t, 10*time.Second, "the worker runs on the first revision", func() bool { return running(t.Context(), worker.url()) == first })

	controller.kill()
	agent.kill()
	began := time.Now()
	agent.start()
	snapshot := agent.url() + "/v1/namespaces/demo/snapshot"
	answer, body := call(t, http.MethodGet, snapshot, nil)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Herald-Stale") != "true" || !strings.Contains(string(body), "/healthz") {
		t.Fatalf("the agent came back with %d %s", answer.StatusCode, body)
	}
	t.Logf("the agent served its last good after %s", within(t, began, time.Second))

	agent.kill()
	worker.kill()
	began = time.Now()
	worker.start()
	await(t, time.Second, "the worker runs on its last good with nothing else alive", func() bool { return running(t.Context(), worker.url()) == first })
	t.Logf("the worker ran on its last good after %s", within(t, began, time.Second))

	agent.start()
	controller.start()
	second := put(t, controller.url(), "demo/configs/fetch", `{"url":"`+agent.url()+`/readyz"}`)
	took := await(t, 15*time.Second, "the worker runs on the next revision", func() bool { return running(t.Context(), worker.url()) == second })
	t.Logf("the next change arrived after %s", took)
	if answer, body := call(t, http.MethodGet, worker.url()+"/hit", nil); answer.StatusCode != http.StatusOK || answer.Header.Get("Herald-Revision") != fmt.Sprint(second) {
		t.Errorf("/hit: %d %s", answer.StatusCode, body)
	}
	worker.stop()
	agent.stop()
	controller.stop()
}

func within(t *testing.T, began time.Time, most time.Duration) time.Duration {
	t.Helper()
	took := time.Since(began)
	if took > most {
		t.Errorf("took %s, want at most %s", took, most)
	}
	return took
}

// TestHeldRequestsAreAnsweredAtTheStop holds a GET at each hop and stops it.
func TestHeldRequestsAreAnsweredAtTheStop(t *testing.T) {
	folder := t.TempDir()
	controller := startProgram(t, "controller", "--db", filepath.Join(folder, "controller.db"))
	put(t, controller.url(), "demo/configs/fetch", `{"url":"http://127.0.0.1:1/"}`)
	agent := startProgram(t, "agent", "--id", "host-7", "--upstream", controller.url(), "--cache-dir", filepath.Join(folder, "agent"))
	for _, p := range []*program{agent, controller} {
		url := p.url() + "/v1/namespaces/demo/snapshot"
		answer, _ := call(t, http.MethodGet, url, nil)
		tag := answer.Header.Get("ETag")
		held := make(chan int, 1)
		go func() {
			answer, _, err := try(context.WithoutCancel(t.Context()), http.MethodGet, url, nil, "If-None-Match", tag, "Prefer", "wait=60")
			if err != nil {
				held <- 0
				return
			}
			held <- answer.StatusCode
		}()
		select {
		case status := <-held:
			t.Fatalf("%s answered %d before anything happened", p.name, status)
		case <-time.After(300 * time.Millisecond): // so that the request is there
		}
		p.stop()
		if status := <-held; status != http.StatusNotModified {
			t.Errorf("%s cut the held request off: %d", p.name, status)
		}
	}
}
