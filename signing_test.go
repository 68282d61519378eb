package herald_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/config"
)

// A between stands between an agent and a controller: it leads to one, to nobody,
// or alters what passes.
type between struct {
	*httptest.Server
	target atomic.Pointer[url.URL]
	tamper atomic.Bool
}

func standBetween(t *testing.T, target string) *between {
	t.Helper()
	b := &between{}
	b.lead(t, target)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(b.target.Load())
			if b.tamper.Load() {
				r.Out.Header.Set("Accept-Encoding", "identity")
			}
		},
		ModifyResponse: func(answer *http.Response) error {
			if b.tamper.Load() && answer.StatusCode == http.StatusOK && strings.HasSuffix(answer.Request.URL.Path, "/snapshot") {
				return alter(answer)
			}
			return nil
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	b.Server = httptest.NewServer(proxy)
	t.Cleanup(b.Close)
	return b
}

func (b *between) lead(t *testing.T, target string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	b.target.Store(u)
}

// alter changes the document and puts right all that the protocol says of it.
func alter(answer *http.Response) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	body = bytes.ReplaceAll(body, []byte(`"rps":2`), []byte(`"rps":9`))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	answer.Header.Set("Repr-Digest", config.DigestOf(body).Header())
	answer.Header.Set("ETag", config.ETagOf(body).Quoted(""))
	return nil
}

// started runs a service that stop ends.
func started(t *testing.T, run func(context.Context, net.Listener, *slog.Logger) error) (address string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, listener, slog.New(slog.DiscardHandler)) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("a service ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return "http://" + listener.Addr().String(), stop
}

func startController(t *testing.T, db string) (string, func()) {
	t.Helper()
	return started(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return controller.Run(ctx, controller.Config{Listener: listener, DB: db, PollInterval: 200 * time.Millisecond}, log)
	})
}

func startAgent(t *testing.T, id, upstream, cache, trust string) (string, func()) {
	t.Helper()
	return started(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return agent.Run(ctx, agent.Config{Listener: listener, ID: id, Upstream: []string{upstream}, CacheDir: cache, Trust: trust, Namespaces: []string{"payments"}}, log)
	})
}

// serves waits until an agent serves that document, and returns the snapshot's fields.
func serves(t *testing.T, agent, document string) http.Header {
	t.Helper()
	var last string
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		answer, body, err := try(t.Context(), http.MethodGet, agent+"/v1/namespaces/payments/snapshot", nil)
		if err == nil && strings.Contains(string(body), document) {
			return answer.Header
		}
		last = string(body)
	}
	t.Fatalf("the agent does not serve %s but %s", document, last)
	return nil
}

// refuses waits until an agent says why it refuses what upstream serves.
func refuses(t *testing.T, agent, why string) {
	t.Helper()
	var status struct {
		Namespaces map[string]struct{ Error string }
	}
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		_, body := call(t, http.MethodGet, agent+"/v1/status", nil)
		if err := json.Unmarshal(body, &status); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(status.Namespaces["payments"].Error, why) {
			return
		}
	}
	t.Fatalf("the agent says %q, not %q", status.Namespaces["payments"].Error, why)
}

func rotate(t *testing.T, controller string) {
	t.Helper()
	if answer, body := call(t, http.MethodPost, controller+"/v1/signing-keys", nil); answer.StatusCode != 201 {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
}

// TestRotationsAreFollowed, by an agent that was offline during two of them, and
// after that with nobody else alive; a relay hands keys and signatures on.
func TestRotationsAreFollowed(t *testing.T) {
	db := filepath.Join(t.TempDir(), "controller.db")
	ctl, stopController := startController(t, db)
	way := standBetween(t, ctl)
	put(t, ctl, "payments/configs/limits", `{"rps":1}`)
	nearCache, farCache := t.TempDir(), t.TempDir()
	near, stopNear := startAgent(t, "near", way.URL, nearCache, "")
	first := serves(t, near, `"rps":1`)
	far, stopFar := startAgent(t, "far", near, farCache, "")
	if got := serves(t, far, `"rps":1`).Get("Herald-Signature"); got == "" || got != first.Get("Herald-Signature") {
		t.Errorf("the relay hands on another signature: %q, %q", got, first.Get("Herald-Signature"))
	}
	stopFar()
	stopNear()
	rotate(t, ctl)
	rotate(t, ctl)
	put(t, ctl, "payments/configs/limits", `{"rps":2}`)

	near, stopNear = startAgent(t, "near", way.URL, nearCache, "")
	second := serves(t, near, `"rps":2`)
	if second.Get("Herald-Signature")[:35] == first.Get("Herald-Signature")[:35] {
		t.Error("the new revision is signed by the former key")
	}
	far, _ = startAgent(t, "far", near, farCache, "")
	serves(t, far, `"rps":2`)

	// A restart of the controller, after one more rotation, serves the same signature.
	rotate(t, ctl)
	stopController()
	ctl, stopController = startController(t, db)
	if answer, _ := call(t, http.MethodGet, ctl+"/v1/namespaces/payments/snapshot", nil); answer.Header.Get("Herald-Signature") != second.Get("Herald-Signature") {
		t.Error("signed anew after a restart")
	}
	stopController()
	stopNear()
	way.lead(t, "http://127.0.0.1:1")
	near, _ = startAgent(t, "near", way.URL, nearCache, "")
	if got := serves(t, near, `"rps":2`); got.Get("Herald-Stale") != "true" || got.Get("Herald-Signature") != second.Get("Herald-Signature") {
		t.Errorf("from disk: %v", got)
	}
	_, body := call(t, http.MethodGet, near+"/v1/signing-keys", nil)
	if keys, err := config.ParseKeys(body); err != nil || len(keys) != 3 || keys.Chained() != nil {
		t.Errorf("the keys that the agent kept: %v, %s", err, body)
	}
}

// TestATamperingProxyIsRefused: it fixes length, digest and ETag, and yet cannot
// sign. The last good stays, and honest answers are taken again.
func TestATamperingProxyIsRefused(t *testing.T) {
	ctl, _ := startController(t, filepath.Join(t.TempDir(), "controller.db"))
	way := standBetween(t, ctl)
	put(t, ctl, "payments/configs/limits", `{"rps":1}`)
	host, _ := startAgent(t, "near", way.URL, t.TempDir(), "first-use")
	serves(t, host, `"rps":1`)
	way.tamper.Store(true)
	put(t, ctl, "payments/configs/limits", `{"rps":2}`)
	refuses(t, host, "signature not verified")
	serves(t, host, `"rps":1`)
	way.tamper.Store(false)
	serves(t, host, `"rps":2`)
}

// TestAnotherControllerIsRefused, though its epoch is a later one, until the
// operator removes what is pinned, or names its keys.
func TestAnotherControllerIsRefused(t *testing.T) {
	ctl, stop := startController(t, filepath.Join(t.TempDir(), "controller.db"))
	way := standBetween(t, ctl)
	put(t, ctl, "payments/configs/limits", `{"rps":1}`)
	cache := t.TempDir()
	host, stopAgent := startAgent(t, "near", way.URL, cache, "")
	serves(t, host, `"rps":1`)
	stop()
	other, _ := startController(t, filepath.Join(t.TempDir(), "controller.db"))
	put(t, other, "payments/configs/limits", `{"rps":3}`)
	way.lead(t, other)
	refuses(t, host, "unknown key")
	stopAgent()
	host, stopAgent = startAgent(t, "near", way.URL, cache, "") // the pin survives a restart
	refuses(t, host, "unknown key")
	serves(t, host, `"rps":1`)
	stopAgent()

	_, keys := call(t, http.MethodGet, other+"/v1/signing-keys", nil)
	file := filepath.Join(t.TempDir(), "herald-keys.json")
	if err := os.WriteFile(file, keys, 0o600); err != nil {
		t.Fatal(err)
	}
	named, stopNamed := startAgent(t, "near", way.URL, t.TempDir(), file)
	serves(t, named, `"rps":3`)
	stopNamed()
	if err := os.Remove(filepath.Join(cache, "pinned-keys.json")); err != nil {
		t.Fatal(err)
	}
	host, _ = startAgent(t, "near", way.URL, cache, "")
	serves(t, host, `"rps":3`)
}
