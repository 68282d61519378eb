package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// redisAt returns the Redis at an address, or one of its own where there is none;
// stop ends that one.
func redisAt(ctx context.Context, address string) (at string, stop func(), err error) {
	if address != "" {
		return address, func() {}, nil
	}
	return startRedis(ctx)
}

// startRedis runs a redis-server that keeps nothing, on a free port of loopback.
func startRedis(ctx context.Context) (address string, stop func(), err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errors.New("redis-server is not installed: run ./deploy/test once, which installs it, or name a Redis with --redis HOST:PORT")
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("find a free port: %w", err)
	}
	address = listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	if err := listener.Close(); err != nil {
		return "", nil, fmt.Errorf("find a free port: %w", err)
	}
	folder, err := os.MkdirTemp("", "herald-bench-redis")
	if err != nil {
		return "", nil, fmt.Errorf("make a folder: %w", err)
	}
	cmd := exec.CommandContext(ctx, path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder) //nolint:gosec // our own arguments
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start redis-server: %w", err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(folder)
	}
	for range 500 {
		if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address); err == nil {
			_ = conn.Close()
			return address, stop, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	return "", nil, errors.New("redis-server did not answer within 5 s")
}
