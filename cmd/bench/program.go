package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"time"
)

// build builds the agent and the worker into a folder.
func build(ctx context.Context, folder string) error {
	const commands = "github.com/heraldconf/herald/cmd/"
	cmd := exec.CommandContext(ctx, "go", "build", "-o", folder+string(filepath.Separator), commands+"agent", commands+"worker") //nolint:gosec // a folder of our own
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return nil
}

// A program is a service as it is shipped, in a process that can be killed, at an
// address that stays.
type program struct {
	path, address string
	args          []string
	cmd           *exec.Cmd
	said          bytes.Buffer
}

// newProgram finds a free port for a program, and does not start it.
func newProgram(ctx context.Context, path string, args ...string) (*program, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	p := &program{path: path, address: listener.Addr().String(), args: args}
	p.args = append(p.args, "--listen", p.address)
	if err := listener.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	return p, nil
}

func (p *program) url() string { return "http://" + p.address }

// start returns at once; whether it answers is for the caller to see.
func (p *program) start(ctx context.Context) error {
	p.said.Reset()
	p.cmd = exec.CommandContext(ctx, p.path, p.args...) //nolint:gosec // what build built
	p.cmd.Stderr = &p.said
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(p.path), err)
	}
	return nil
}

// kill ends it with SIGKILL, and waits until it is gone.
func (p *program) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
}

// await waits until something is so, for half a minute at most.
func await(ctx context.Context, so func() bool) error {
	for began := time.Now(); !so(); time.Sleep(2 * time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > 30*time.Second {
			return errors.New("not after 30 s")
		}
	}
	return nil
}
