package client_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// serve returns a client of a server that answers with that handler.
func serve(t *testing.T, token string, handler http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return connect(t, server.URL, token)
}

func connect(t *testing.T, server, token string) *client.Client {
	t.Helper()
	c, err := client.New(server, token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefusesWhatIsNoServer(t *testing.T) {
	for _, server := range []string{"", "127.0.0.1:8080", "ftp://host", "http://", "http://user:secret@host", "http://host?x=1", "http://host/#x", "http://a b"} {
		if _, err := client.New(server, ""); !errors.Is(err, client.ErrAddress) {
			t.Errorf("%q: %v", server, err)
		}
	}
	if c := connect(t, "https://config.example.org/herald/", ""); c.Server() != "https://config.example.org/herald" {
		t.Errorf("server is %s", c.Server())
	}
}

func TestDoSendsWhatIsAsked(t *testing.T) {
	c := serve(t, "s3cret", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %s %s", r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("Prefer"), r.Header.Get("If-Match"), body)
	})
	answer, err := c.Do(t.Context(), client.Request{
		Method: http.MethodPut, Path: "/v1/x?y=1", Header: http.Header{"If-Match": {`"e"`}}, Body: []byte("{}"), Wait: 20 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := `PUT /v1/x?y=1 Bearer s3cret wait=20 "e" {}`; string(answer.Body) != want {
		t.Errorf("asked: %s\nwant:  %s", answer.Body, want)
	}
}

func TestDoReturnsTheProblem(t *testing.T) {
	c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
		p := httpapi.NewProblem(http.StatusServiceUnavailable, "unavailable", "the store is closed")
		p.RetryAfter = 7 * time.Second
		httpapi.WriteProblem(w, p)
	})
	_, err := c.Do(t.Context(), client.Request{Path: "/"})
	p, ok := errors.AsType[*httpapi.Problem](err)
	if !ok || p.Status != 503 || p.Code != "unavailable" || p.Detail != "the store is closed" || p.RetryAfter != 7*time.Second {
		t.Errorf("%#v", err)
	}
}

func TestDoSaysThatAStrangerAnswered(t *testing.T) {
	for _, body := range []string{"<html>not found</html>", "{}", "null", "", "[1]"} {
		c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, body)
		})
		_, err := c.Do(t.Context(), client.Request{Path: "/"})
		p, ok := errors.AsType[*httpapi.Problem](err)
		if !ok || p.Status != http.StatusNotFound || p.Code != "" || !strings.Contains(err.Error(), "not as Herald does") {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestDoFollowsNoRedirect(t *testing.T) {
	c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	})
	_, err := c.Do(t.Context(), client.Request{Method: http.MethodPut, Path: "/"})
	if p, ok := errors.AsType[*httpapi.Problem](err); !ok || p.Status != http.StatusFound || !strings.Contains(err.Error(), `"/elsewhere"`) {
		t.Errorf("a redirected PUT: %v", err)
	}
}

func TestUnreachableSaysWhy(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := "http://" + listener.Addr().String()
	_ = listener.Close()
	_, err = connect(t, free, "").Do(t.Context(), client.Request{Method: http.MethodPut, Path: "/"})
	u, ok := errors.AsType[*client.Unreachable](err)
	if !ok || u.Reason != "connection refused" || u.Unknown || err.Error() != "cannot reach "+free+": connection refused" {
		t.Errorf("nobody listens: %#v", err)
	}
	_, err = connect(t, "http://no-such-host.invalid", "").Do(t.Context(), client.Request{Path: "/"})
	if u, ok := errors.AsType[*client.Unreachable](err); !ok || u.Reason != `no host "no-such-host.invalid" is known` {
		t.Errorf("no such host: %v", err)
	}
}

func TestAWriteThatBreaksOffMayBeDone(t *testing.T) {
	c := serve(t, "", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for method, unknown := range map[string]bool{http.MethodGet: false, http.MethodPut: true, http.MethodPost: true} {
		_, err := c.Do(t.Context(), client.Request{Method: method, Path: "/"})
		u, ok := errors.AsType[*client.Unreachable](err)
		if !ok || u.Unknown != unknown || u.Reason != "the connection broke off" {
			t.Errorf("%s: %#v", method, err)
		}
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	c := serve(t, "", func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := c.Do(ctx, client.Request{Path: "/"}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestDoWaitsAsLongAsItAskedAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer func() { _ = far.Close() }()
		go func() { _, _ = io.Copy(io.Discard, far) }() // a server that only listens
		c := connect(t, "http://silent", "")
		c.DialWith(func(context.Context, string, string) (net.Conn, error) { return near, nil })
		begin := time.Now()
		_, err := c.Do(t.Context(), client.Request{Path: "/", Wait: 20 * time.Second})
		u, ok := errors.AsType[*client.Unreachable](err)
		if took := time.Since(begin); !ok || u.Reason != "no answer within 50s" || took != 50*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestDoBoundsWhatItReads(t *testing.T) {
	c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip") // small on the wire, endless decoded
		zip := gzip.NewWriter(w)
		chunk := make([]byte, 1<<20)
		for range 80 {
			if _, err := zip.Write(chunk); err != nil {
				return
			}
		}
		_ = zip.Close()
	})
	if _, err := c.Do(t.Context(), client.Request{Path: "/"}); err == nil || !strings.Contains(err.Error(), "more than 67108864 bytes") {
		t.Errorf("an endless answer: %v", err)
	}
}

func TestGetAndSendDecode(t *testing.T) {
	c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			_, _ = io.Copy(w, r.Body)
			return
		}
		_, _ = io.WriteString(w, `{"namespace":"payments","revision":42} `)
	})
	var into client.Namespace
	raw, err := c.Get(t.Context(), "/", &into)
	if err != nil || into.Namespace != "payments" || into.Revision != 42 || string(raw) != `{"namespace":"payments","revision":42} ` {
		t.Errorf("Get: %s %+v %v", raw, into, err)
	}
	raw, err = c.Send(t.Context(), http.MethodPatch, "/", map[string]int{"revision": 43}, &into)
	if err != nil || into.Revision != 43 || string(raw) != `{"revision":43}` {
		t.Errorf("Send: %s %+v %v", raw, into, err)
	}
	if _, err := c.Get(t.Context(), "/", new([]int)); err == nil || !strings.Contains(err.Error(), "did not answer as Herald does") {
		t.Errorf("Get of something else: %v", err)
	}
	if _, err := c.Send(t.Context(), http.MethodPatch, "/", func() {}, &into); err == nil {
		t.Error("Send of what is no JSON")
	}
}

func TestEachTurnsThePages(t *testing.T) {
	asked := 0
	c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.RequestURI() {
		case "/v1/list?limit=2":
			_, _ = io.WriteString(w, `{"items":[1,2],"next":"/v1/list?limit=2&after=2"}`)
		case "/v1/list?limit=2&after=2":
			_, _ = io.WriteString(w, `{"items":[3,4],"next":"/v1/list?limit=2&after=4"}`)
		default:
			_, _ = io.WriteString(w, `{"items":[5]}`)
		}
	})
	var got []string
	for item, err := range c.Each(t.Context(), "/v1/list?limit=2", "items") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(item))
	}
	if !slices.Equal(got, []string{"1", "2", "3", "4", "5"}) {
		t.Errorf("got %v", got)
	}
	asked = 0
	for range c.Each(t.Context(), "/v1/list?limit=2", "items") {
		break
	}
	if asked != 1 {
		t.Errorf("asked for %d pages to see one item", asked)
	}
}

func TestEachRefusesWhatIsNoList(t *testing.T) {
	for _, body := range []string{`{"items":5}`, `{"items":[],"next":5}`, `{"items":[],"next":"http://evil/"}`, `{"items":[],"next":"/v1/list"}`, `[]`, `{}`} {
		c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		var failed error
		for _, err := range c.Each(t.Context(), "/v1/list", "items") {
			failed = err
		}
		if failed == nil {
			t.Errorf("%s passes as a list", body)
		}
	}
}

func seal(revision config.Revision) *config.Snapshot {
	entry := config.Entry{Name: "limits", Revision: revision, Document: config.Document{MediaType: "application/json", Body: []byte(`{"rps":50}`)}}
	return config.Seal("payments", config.Position{Epoch: "01J", Revision: revision}, []config.Entry{entry}, nil)
}

func TestSnapshotIsReadOnceItDiffers(t *testing.T) {
	now := seal(1)
	c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/namespaces/payments/snapshot" {
			t.Errorf("asked for %s", r.URL)
		}
		if r.Header.Get("If-None-Match") == now.ETag.Quoted("") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Repr-Digest", now.Digest.Header())
		_, _ = w.Write(now.Body)
	})
	got, err := c.Snapshot(t.Context(), "payments", "", 0)
	if err != nil || got.ETag != now.ETag || len(got.Configs) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	if same, err := c.Snapshot(t.Context(), "payments", got.ETag, time.Second); same != nil || err != nil {
		t.Errorf("unchanged: %v %v", same, err)
	}
	now = seal(2)
	if newer, err := c.Snapshot(t.Context(), "payments", got.ETag, time.Second); err != nil || newer.Revision != 2 {
		t.Errorf("changed: %v %v", newer, err)
	}
}

func TestSnapshotIsChecked(t *testing.T) {
	good := seal(1)
	for name, answer := range map[string]struct {
		body   []byte
		digest string
	}{
		"no snapshot":        {[]byte(`{"hello":1}`), ""},
		"of another digest":  {good.Body, seal(2).Digest.Header()},
		"cut off":            {good.Body[:len(good.Body)-3], ""},
		"something of a cat": {[]byte("meow"), ""},
	} {
		c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", answer.digest)
			_, _ = w.Write(answer.body)
		})
		if got, err := c.Snapshot(t.Context(), "payments", "", 0); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good.Body) })
	if got, err := c.Snapshot(t.Context(), "payments", good.ETag, 0); got != nil || err != nil {
		t.Errorf("a 200 with the ETag one has: %v %v", got, err)
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	for header, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "-1": 0, "soon": 0, "999999999": time.Hour} {
		c := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		_, err := c.Do(t.Context(), client.Request{Path: "/"})
		if p, ok := errors.AsType[*httpapi.Problem](err); !ok || p.RetryAfter != want || p.Status != http.StatusServiceUnavailable {
			t.Errorf("Retry-After %q: %+v", header, err)
		}
	}
}

func TestPaths(t *testing.T) {
	for got, want := range map[string]string{
		client.NamespacePath("payments", "/fleet"): "/v1/namespaces/payments/fleet",
		client.ConfigPath("payments", "limits"):    "/v1/namespaces/payments/configs/limits",
		client.AgentPath("host/7"):                 "/v1/agents/host%2F7",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
