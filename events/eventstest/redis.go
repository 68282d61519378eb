package eventstest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// A RedisServer is a real redis-server on a port of its own, there for one test.
// It is not for several goroutines at once.
type RedisServer struct {
	t      testing.TB
	args   []string
	dir    string
	port   int
	client *redis.Client
	cmd    *exec.Cmd
	exited chan struct{}
}

// Redis starts a redis-server that keeps nothing on disk and ends with the test.
// Arguments are passed on to it: "--appendonly", "yes" makes one that still has
// its data after Kill and Start.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	r := &RedisServer{t: t, args: args, dir: t.TempDir()}
	t.Cleanup(r.Kill)
	for range 5 { // somebody else may take the port first
		r.port = freePort(t)
		if r.start() == nil {
			return r
		}
	}
	t.Fatal("redis-server found no free port in five attempts")
	return nil
}

// Addr is host:port, the same one over all restarts.
func (r *RedisServer) Addr() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// URL is what --bus takes for Redis Streams.
func (r *RedisServer) URL() string { return "redis://" + r.Addr() }

// Client is a plain client, closed when the test ends.
func (r *RedisServer) Client() *redis.Client {
	if r.client == nil {
		r.client = redis.NewClient(&redis.Options{Addr: r.Addr()})
		r.t.Cleanup(func() { _ = r.client.Close() })
	}
	return r.client
}

// Start starts the server again after a Kill, and returns once it answers.
func (r *RedisServer) Start() {
	r.t.Helper()
	if r.cmd != nil {
		r.t.Fatal("redis-server is running already")
	}
	if err := r.start(); err != nil {
		r.t.Fatal(err)
	}
}

// Kill ends the server with SIGKILL, as a power cut does.
func (r *RedisServer) Kill() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	<-r.exited
	r.cmd = nil
}

// Stop holds the server with SIGSTOP: its connections stay, nothing answers.
func (r *RedisServer) Stop() { r.signal(syscall.SIGSTOP) }

// Cont lets it go on.
func (r *RedisServer) Cont() { r.signal(syscall.SIGCONT) }

func (r *RedisServer) signal(s syscall.Signal) {
	r.t.Helper()
	if r.cmd == nil {
		r.t.Fatal("redis-server is not running")
	}
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatalf("signal redis-server: %v", err)
	}
}

func (r *RedisServer) start() error {
	r.t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		r.t.Fatal("redis-server is missing: run ./deploy/test, which installs it")
	}
	args := append([]string{
		"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no",
	}, r.args...)
	cmd := exec.Command(program, args...)
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		_ = in.Close()
		close(exited)
	}()
	if err := awaitReady(out); err != nil {
		_ = cmd.Process.Kill()
		<-exited
		return err
	}
	r.cmd, r.exited = cmd, exited
	return nil
}

// awaitReady reads the server's log until it accepts connections, and goes on
// reading behind, so that the server never waits for its reader.
func awaitReady(log io.Reader) error {
	ready := make(chan error, 1)
	go func() {
		lines, last := bufio.NewScanner(log), ""
		for lines.Scan() {
			last = lines.Text()
			if strings.Contains(last, "eady to accept connections") {
				ready <- nil
				_, _ = io.Copy(io.Discard, log)
				return
			}
		}
		ready <- fmt.Errorf("redis-server ended: %s", last)
	}()
	select {
	case err := <-ready:
		return err
	case <-time.After(patience):
		return fmt.Errorf("redis-server was not ready within %v", patience)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}
