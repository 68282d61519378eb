package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/heraldconf/herald/services/agent"
)

// childVariable says to this very program that it is to be an agent.
const childVariable = "HERALD_BENCH_AGENT"

// A childConfig is what an agent in a process of its own is told.
type childConfig struct {
	Listen, ID, CacheDir, Bus string
	Upstream                  []string
}

// runChild runs the agent that the environment describes, if it does, and reports
// whether there was one.
func runChild() bool {
	text := os.Getenv(childVariable)
	if text == "" {
		return false
	}
	var c childConfig
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = agent.Run(ctx, agent.Config{Listen: c.Listen, ID: c.ID, Upstream: c.Upstream, CacheDir: c.CacheDir, Bus: c.Bus}, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return true
}

// A process is an agent that can be killed.
type process struct {
	config  childConfig
	address string
	cmd     *exec.Cmd
}

// startProcess runs an agent at a free port, and returns once it answers.
func startProcess(ctx context.Context, c childConfig) (*process, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	c.Listen = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	p := &process{config: c, address: "http://" + c.Listen}
	return p, p.restart(ctx)
}

// restart starts it, anew after a kill, and returns once it answers.
func (p *process) restart(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	told, err := json.Marshal(p.config)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	p.cmd = exec.CommandContext(ctx, self) //nolint:gosec // this very program
	p.cmd.Env = append(os.Environ(), childVariable+"="+string(told))
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start an agent: %w", err)
	}
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for range 2000 {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address+"/healthz", nil)
		if err != nil {
			return fmt.Errorf("healthz: %w", err)
		}
		if answer, err := client.Do(request); err == nil {
			return answer.Body.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.kill()
	return errors.New("the agent did not answer within 20 s")
}

// kill ends it with SIGKILL, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
