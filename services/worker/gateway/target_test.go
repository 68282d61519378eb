package gateway_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heraldconf/herald/services/worker/domain"
	"github.com/heraldconf/herald/services/worker/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A book resolves names as a test wants them resolved.
type book map[string][]string

func (b book) LookupNetIP(_ context.Context, _, host string) (addresses []netip.Addr, err error) {
	for _, s := range b[host] {
		addresses = append(addresses, netip.MustParseAddr(s))
	}
	if addresses == nil {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addresses, err
}

func client(t *testing.T, names book, allowed ...string) *gateway.Client {
	t.Helper()
	hosts, err := domain.ParseHosts(allowed)
	if err != nil {
		t.Fatal(err)
	}
	c := gateway.NewClient(hosts, names)
	t.Cleanup(c.Close)
	return c
}

// get requests a URL within a second, unless the target says otherwise.
func get(t *testing.T, c *gateway.Client, address string, change ...func(*domain.Target)) (domain.Answer, error) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	target := domain.Target{URL: u, Method: "GET", Timeout: time.Second}
	for _, f := range change {
		f(&target)
	}
	ctx, cancel := context.WithTimeout(t.Context(), target.Timeout)
	defer cancel()
	return c.Request(ctx, target)
}

// serve serves on loopback, and returns the server's port too.
func serve(t *testing.T, f http.HandlerFunc) (server *httptest.Server, port string) {
	t.Helper()
	server = httptest.NewServer(f)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return server, port
}

func TestRequestPassesWhatTheConfigSays(t *testing.T) {
	server, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x-test")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, r.Header.Get("X-Key"))
	})
	answer, err := get(t, client(t, nil, "127.0.0.1"), server.URL+"/a?b=c", func(target *domain.Target) {
		target.Method, target.Header = "POST", map[string]string{"x-key": "k"}
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusTeapot || answer.ContentType != "text/x-test" || string(answer.Body) != "POST /a?b=c k" {
		t.Errorf("%+v %s", answer, answer.Body)
	}
}

func TestNameIsDialledWhereItMayStandFor(t *testing.T) {
	_, port := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
	names := book{
		"localhost":       {"127.0.0.1"},
		"inner.test":      {"127.0.0.1"},
		"two.test":        {"169.254.169.254", "127.0.0.1"},
		"rebound.test":    {"127.0.0.1"},
		"notallowed.test": {"127.0.0.1"},
	}
	for name, c := range map[string]struct {
		host    string
		allowed []string
		refused bool
	}{
		"the address":                    {"127.0.0.1", []string{"127.0.0.1"}, false},
		"localhost":                      {"localhost", []string{"localhost"}, false},
		"a name of a listed address":     {"inner.test", []string{"inner.test", "127.0.0.1"}, false},
		"the second of its addresses":    {"two.test", []string{"two.test", "127.0.0.1"}, false},
		"a name that was bound anew":     {"rebound.test", []string{"rebound.test"}, true},
		"a name of a listed other port":  {"inner.test", []string{"inner.test", "127.0.0.1:1"}, true},
		"a name that is not in the list": {"notallowed.test", []string{"127.0.0.1"}, true},
	} {
		answer, err := get(t, client(t, names, c.allowed...), "http://"+net.JoinHostPort(c.host, port)+"/")
		if refused := errors.Is(err, domain.ErrHostNotAllowed); refused != c.refused || err != nil && !errors.Is(err, domain.ErrTargetFailed) {
			t.Errorf("%s: %v", name, err)
		} else if err == nil && string(answer.Body) != net.JoinHostPort(c.host, port) {
			t.Errorf("%s: the target saw host %s", name, answer.Body)
		}
	}
}

func TestRedirects(t *testing.T) {
	var reached atomic.Int32
	_, secretPort := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	var seen atomic.Value
	_, otherPort := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen.Store(r.Header.Get("X-Key")) })
	server, port := serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := r.URL.Query().Get("to")
		if to == "loop" {
			to = r.URL.String()
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	names := book{"evil.test": {"127.0.0.1"}}
	c := client(t, names, "127.0.0.1:"+port, "127.0.0.1:"+otherPort)
	for name, q := range map[string]struct {
		to      string
		because error // besides domain.ErrTargetFailed; nil for none
		fine    bool
	}{
		"to an allowed host":          {"http://127.0.0.1:" + otherPort + "/", nil, true},
		"to another port":             {"http://127.0.0.1:" + secretPort + "/", domain.ErrHostNotAllowed, false},
		"to a name of an allowed one": {"http://evil.test:" + otherPort + "/", domain.ErrHostNotAllowed, false},
		"to a file":                   {"file:///etc/passwd", domain.ErrHostNotAllowed, false},
		"to an address in hex":        {"http://0x7f000001:" + secretPort + "/", domain.ErrHostNotAllowed, false},
		"round and round":             {"loop", nil, false},
	} {
		_, err := get(t, c, server.URL+"/?to="+url.QueryEscape(q.to), func(target *domain.Target) {
			target.Header = map[string]string{"X-Key": "of the first host"}
		})
		switch {
		case q.fine && err != nil, !q.fine && !errors.Is(err, domain.ErrTargetFailed):
			t.Errorf("%s: %v", name, err)
		case q.because != nil && !errors.Is(err, q.because):
			t.Errorf("%s: %v, want %v", name, err, q.because)
		}
	}
	if reached.Load() != 0 {
		t.Error("a host that is not allowed was reached")
	}
	if seen.Load() != "" {
		t.Errorf("another host was shown the header %q", seen.Load())
	}
}

func TestRedirectFromTLSToPlainIsRefused(t *testing.T) {
	c := client(t, nil, "127.0.0.1")
	_, port := serve(t, func(http.ResponseWriter, *http.Request) {})
	secure := httptest.NewTLSServer(http.RedirectHandler("http://127.0.0.1:"+port+"/", http.StatusFound))
	defer secure.Close()
	gateway.TrustForTest(c, secure)
	if _, err := get(t, c, secure.URL); err == nil || !strings.Contains(err.Error(), "https to http") {
		t.Errorf("%v", err)
	}
}

// The environment is read once a process, so that setting a variable here would
// prove nothing.
func TestNobodyDialsForTheClient(t *testing.T) {
	if gateway.AsksForProxyForTest(client(t, nil, "127.0.0.1")) {
		t.Error("a proxy may dial what was not checked")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	hang := make(chan struct{})
	server, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 64<<10)
		switch r.URL.Path {
		case "/most":
			_, _ = w.Write(make([]byte, gateway.MaxAnswer))
		case "/more":
			_, _ = w.Write(make([]byte, gateway.MaxAnswer+1))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			for range 64 {
				_, _ = zip.Write(chunk)
			}
			_ = zip.Close()
		case "/silent":
			<-hang
		case "/drip":
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte{'.'})
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("short"))
		}
	})
	defer close(hang)
	c := client(t, nil, "127.0.0.1")
	for path, want := range map[string]error{
		"/most": nil, "/more": domain.ErrTargetFailed, "/endless": domain.ErrTargetFailed, "/bomb": domain.ErrTargetFailed,
		"/silent": domain.ErrTargetTimeout, "/drip": domain.ErrTargetTimeout, "/cut": domain.ErrTargetFailed,
	} {
		began := time.Now()
		_, err := get(t, c, server.URL+path, func(target *domain.Target) {
			if target.Timeout = 10 * time.Second; errors.Is(want, domain.ErrTargetTimeout) {
				target.Timeout = 300 * time.Millisecond
			}
		})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", path, took)
		}
	}
}

func TestTargetThatIsNotThere(t *testing.T) {
	server, _ := serve(t, func(http.ResponseWriter, *http.Request) {})
	address := server.URL
	server.Close()
	c := client(t, book{}, "127.0.0.1", "gone.test")
	for _, address := range []string{address, "http://gone.test/"} {
		if _, err := get(t, c, address); !errors.Is(err, domain.ErrTargetFailed) || errors.Is(err, domain.ErrHostNotAllowed) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
