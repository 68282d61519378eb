package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Bounds of a server. Writing leaves room for a request that is held for 60 s, and
// so does reading: a net/http that does not lift the read deadline once a body is
// read takes it for the end of the client.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 90 * time.Second
	writeTimeout      = 3 * time.Minute
	idleTimeout       = 2 * time.Minute
	stopTimeout       = 8 * time.Second
	maxHeaderBytes    = 32 << 10
)

// ErrListen means that a service may not, or cannot, listen where it was told to.
var ErrListen = errors.New("cannot listen")

// Listen opens a TCP listener. An address beyond loopback is refused unless
// open: deny by default. hint says what would allow it.
func Listen(ctx context.Context, address string, open bool, hint string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return nil, fmt.Errorf("%w on %q: write HOST:PORT, as in 127.0.0.1:8080", ErrListen, address)
	}
	if !open && !isLoopback(host) {
		return nil, fmt.Errorf("%w on %s: beyond loopback it needs %s", ErrListen, address, hint)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, refusal(address, err)
	}
	return listener, nil
}

func refusal(address string, err error) error {
	advice := "choose another address"
	if errors.Is(err, syscall.EADDRINUSE) {
		advice = "stop what uses the address, or choose another one"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the address, which is named already
	}
	return fmt.Errorf("%w on %s (%w): %s", ErrListen, address, err, advice)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// A Server serves one handler until its context ends, and then sees to it that
// held requests are answered before it closes.
type Server struct {
	draining chan struct{}
	drain    sync.Once
}

// NewServer returns a server that does not serve yet.
func NewServer() *Server { return &Server{draining: make(chan struct{})} }

// Draining is closed when the server begins to stop: who holds a request answers it.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Drain closes Draining. Serve does it by itself.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }

// Serve answers on the listener until ctx ends; then it lets requests finish for
// some seconds. It returns nil after a clean stop.
func (s *Server) Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		s.Drain()
		_ = server.Close()
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	s.Drain()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		logger.Warn("requests cut off at the stop", "error", err)
		_ = server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		logger.Warn("listener failed at the stop", "error", err)
	}
	return nil
}
