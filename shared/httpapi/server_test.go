package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/httpapi"
)

func TestListen(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "localhost:0", "127.8.9.10:0"} {
		listener, err := httpapi.Listen(t.Context(), address, false, "tokens")
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		listener.Close()
	}
	listener, err := httpapi.Listen(t.Context(), ":0", true, "tokens")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}

func TestListenRefuses(t *testing.T) {
	taken, err := httpapi.Listen(t.Context(), "127.0.0.1:0", false, "")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, c := range map[string]struct {
		open bool
		says string
	}{
		taken.Addr().String(): {false, "address already in use): stop what uses the address, or choose another one"},
		"0.0.0.0:0":           {false, "beyond loopback it needs --some-token"},
		":0":                  {false, "beyond loopback"},
		"[::]:0":              {false, "beyond loopback"},
		"192.0.2.1:0":         {false, "beyond loopback"},
		"host.example:0":      {false, "beyond loopback"},
		"127.0.0.1.evil:0":    {false, "beyond loopback"},
		"192.0.2.1:80":        {true, "choose another address"}, // nobody here has it (RFC 5737)
		"":                    {true, "write HOST:PORT"},
		"8080":                {true, "write HOST:PORT"},
		"127.0.0.1":           {true, "write HOST:PORT"},
		"127.0.0.1:":          {true, "write HOST:PORT"},
		"::1:80":              {true, "write HOST:PORT"},
		"http://127.0.0.1:80": {true, "write HOST:PORT"},
		"127.0.0.1:99999":     {true, "invalid port"},
		"127.0.0.1:-1":        {true, "invalid port"},
		"127.0.0.1:http8":     {true, "choose another address"},
	} {
		listener, err := httpapi.Listen(t.Context(), address, c.open, "--some-token")
		if listener != nil {
			listener.Close()
		}
		if !errors.Is(err, httpapi.ErrListen) {
			t.Errorf("%q: %v", address, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.says) || !strings.Contains(text, address) || strings.ContainsAny(text, "\n") || strings.Contains(text, "%!") {
			t.Errorf("%q: %s, want %q", address, text, c.says)
		}
	}
	if _, err := httpapi.Listen(t.Context(), taken.Addr().String(), false, ""); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// pipes is a listener without a network, so that a test may own the clock.
type pipes struct {
	conns chan net.Conn
	done  context.Context
	close context.CancelFunc
}

func newPipes() *pipes {
	ctx, cancel := context.WithCancel(context.Background())
	return &pipes{conns: make(chan net.Conn), done: ctx, close: cancel}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

func (p *pipes) dial(t *testing.T) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	p.conns <- server
	t.Cleanup(func() { client.Close() })
	return client
}

func request(t *testing.T, conn net.Conn, path string) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: herald\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// running is a server in its bubble, and what it returned once it has.
type running struct {
	*httpapi.Server
	*pipes
	stop  context.CancelFunc
	ended chan error
	log   bytes.Buffer
}

func serve(t *testing.T, handler func(*httpapi.Server) http.HandlerFunc) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &running{Server: httpapi.NewServer(), pipes: newPipes(), stop: stop, ended: make(chan error, 1)}
	go func() {
		s.ended <- s.Serve(ctx, s.pipes, handler(s.Server), slog.New(slog.NewTextHandler(&s.log, nil)))
	}()
	return s
}

// A held request is answered at once when the server stops, and the server is
// gone once it is.
func TestServeDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(s *httpapi.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-s.Draining():
					io.WriteString(w, "drained")
				case <-r.Context().Done():
				}
			}
		})
		conn := s.dial(t)
		request(t, conn, "/held")
		time.Sleep(30 * time.Second)
		before := time.Now()
		s.stop()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || string(body) != "drained" {
			t.Errorf("%q, %v", body, err)
		}
		if err := <-s.ended; err != nil || time.Since(before) > time.Second || s.log.Len() > 0 {
			t.Errorf("%v after %s, log %q", err, time.Since(before), &s.log)
		}
		if s.done.Err() == nil {
			t.Error("it listens still")
		}
	})
}

// A request that does not end is cut off: services stop within 10 s.
func TestServeStopsWithinItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(*httpapi.Server) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		})
		conn := s.dial(t)
		request(t, conn, "/stuck")
		synctest.Wait()
		before := time.Now()
		s.stop()
		if err := <-s.ended; err != nil || time.Since(before) > 9*time.Second || time.Since(before) < 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(before))
		}
		if !strings.Contains(s.log.String(), "cut off") {
			t.Errorf("log %q", &s.log)
		}
	})
}

func TestServeNoticesWhoGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan time.Duration, 1)
		s := serve(t, func(*httpapi.Server) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				began := time.Now()
				<-r.Context().Done()
				gone <- time.Since(began)
			}
		})
		conn := s.dial(t)
		request(t, conn, "/held")
		time.Sleep(3 * time.Second)
		conn.Close()
		if after := <-gone; after != 3*time.Second {
			t.Errorf("held on for %s", after)
		}
		s.stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	})
}

// A request may be held for a minute: no bound of the server ends it before.
func TestServeHoldsForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(*httpapi.Server) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(61 * time.Second):
					io.WriteString(w, "held")
				case <-r.Context().Done():
				}
			}
		})
		conn := s.dial(t)
		request(t, conn, "/held")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "held" {
			t.Errorf("%q, %v", body, err)
		}
		s.stop()
		<-s.ended
	})
}

// Who opens a connection and never finishes its header is shown out.
func TestServeShowsDawdlersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(*httpapi.Server) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { t.Error("it was answered") }
		})
		conn := s.dial(t)
		before := time.Now()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: ")
		io.Copy(io.Discard, conn)
		if after := time.Since(before); after > 11*time.Second {
			t.Errorf("after %s", after)
		}
		s.stop()
		<-s.ended
	})
}

// A listener that fails ends the server, and those that it holds are let go.
func TestServeReturnsTheListenersError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(*httpapi.Server) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		})
		conn := s.dial(t)
		request(t, conn, "/held")
		s.close()
		if err := <-s.ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		select {
		case <-s.Draining():
		default:
			t.Error("nobody was told")
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Error(err)
		}
		s.Drain() // a second time changes nothing
	})
}
