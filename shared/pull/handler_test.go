package pull_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/pull/zstd"
)

// A shelf is a Source of one namespace, payments.
type shelf struct {
	mu       sync.Mutex
	snapshot *config.Snapshot
	changed  chan struct{}
}

func (s *shelf) put(snapshot *config.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshot = snapshot
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

func (s *shelf) Latest(_ context.Context, namespace config.Name) (*config.Snapshot, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	if s.snapshot == nil || namespace != "payments" {
		return nil, s.changed, pull.ErrNotFound
	}
	return s.snapshot, s.changed, nil
}

func serve(source pull.Source, set func(*pull.Handler)) http.Handler {
	h := pull.NewHandler(source, zstd.Coding, pull.Gzip)
	if set != nil {
		set(h)
	}
	statuses := []httpapi.Status{{Err: pull.ErrNotFound, Status: http.StatusNotFound, Problem: "not_found"}}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/namespaces/{ns}/snapshot", httpapi.Handle(statuses, h.ServeSnapshot))
	mux.Handle("GET /v1/namespaces/{ns}/configs/{name}", httpapi.Handle(statuses, h.ServeConfig))
	return httpapi.Router(mux)
}

func get(t *testing.T, h http.Handler, path string, fields ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const path = "/v1/namespaces/payments/snapshot"

func TestSnapshotIsServed(t *testing.T) {
	s := sealed(42, `{"rps":50}`)
	source := &shelf{snapshot: s}
	h := serve(source, func(h *pull.Handler) {
		h.Decorate = func(out http.Header, _ *http.Request, namespace config.Name) {
			out.Set("X-Namespace", string(namespace))
			pull.SetInterval(out, 15*time.Second)
		}
	})
	r := get(t, h, path)
	if r.StatusCode != 200 || body(t, r) != string(s.Body) {
		t.Fatalf("status %d", r.StatusCode)
	}
	for field, want := range map[string]string{
		"ETag": `"` + string(s.ETag) + `"`, "Herald-Epoch": "01A", "Herald-Revision": "42", "Repr-Digest": s.Digest.Header(),
		"Herald-Poll-Interval": "15", "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding",
		"Content-Type": "application/json", "Preference-Applied": "", "X-Namespace": "payments",
	} {
		if got := r.Header.Get(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	for _, tag := range []string{`"` + string(s.ETag) + `"`, `"` + string(s.ETag) + `-zstd"`, `"other", "` + string(s.ETag) + `-gzip"`, "*",
		`W/"` + string(s.ETag) + `"`, `"other", W/"` + string(s.ETag) + `-gzip"`} {
		r := get(t, h, path, "If-None-Match", tag)
		if r.StatusCode != 304 || body(t, r) != "" || !strings.Contains(r.Header.Get("ETag"), string(s.ETag)) || r.Header.Get("Herald-Poll-Interval") != "15" {
			t.Errorf("If-None-Match %s: %d %v", tag, r.StatusCode, r.Header)
		}
	}
	for _, tag := range []string{`"other"`, `W/"other"`, `w/"` + string(s.ETag) + `"`, string(s.ETag), ""} {
		if r := get(t, h, path, "If-None-Match", tag); r.StatusCode != 200 {
			t.Errorf("If-None-Match %s: %d", tag, r.StatusCode)
		}
	}
}

func TestCodings(t *testing.T) {
	s := sealed(1, `{"text":"`+strings.Repeat("herald ", 1000)+`"}`)
	encoded := 0
	counting := pull.Coding{Name: "zstd", Decode: zstd.Coding.Decode, Encode: func(b []byte) []byte { encoded++; return zstd.Coding.Encode(b) }}
	inner := pull.NewHandler(&shelf{snapshot: s}, counting, pull.Gzip)
	mux := http.NewServeMux()
	mux.Handle("GET /v1/namespaces/{ns}/snapshot", httpapi.Handle(nil, inner.ServeSnapshot))
	for accept, want := range map[string]string{
		"": "", "zstd": "zstd", "gzip": "gzip", "gzip, zstd": "zstd", "gzip;q=1.0, zstd;q=0.5": "gzip", "br": "", "zstd;q=0": "", "ZSTD": "zstd", "zstd;q=x": "",
		"identity, gzip;q=0.5": "", "identity;q=0.5, gzip;q=0.9": "gzip", "identity, gzip": "gzip", "identity;q=0, gzip;q=0.1": "gzip", "identity": "",
	} {
		for range 3 {
			r := get(t, mux, path, "Accept-Encoding", accept)
			if got := r.Header.Get("Content-Encoding"); got != want {
				t.Fatalf("Accept-Encoding %q: %q, want %q", accept, got, want)
			}
			raw := []byte(body(t, r))
			if want != "" {
				if !strings.HasSuffix(r.Header.Get("ETag"), "-"+want+`"`) {
					t.Errorf("ETag %s of %s", r.Header.Get("ETag"), want)
				}
				coding := map[string]pull.Coding{"zstd": zstd.Coding, "gzip": pull.Gzip}[want]
				decoded, err := coding.Decode(bytes.NewReader(raw))
				if err != nil {
					t.Fatal(err)
				}
				raw, _ = io.ReadAll(decoded)
			}
			if !bytes.Equal(raw, s.Body) || r.Header.Get("Repr-Digest") != s.Digest.Header() {
				t.Errorf("Accept-Encoding %q gives another body or digest", accept)
			}
		}
	}
	if encoded != 1 {
		t.Errorf("encoded %d times, want once however many ask", encoded)
	}
}

func TestSmallBodiesStayAsTheyAre(t *testing.T) {
	r := get(t, serve(&shelf{snapshot: sealed(1, `{}`)}, nil), path, "Accept-Encoding", "zstd, gzip")
	if r.Header.Get("Content-Encoding") != "" {
		t.Error("a body of some bytes was encoded")
	}
}

func TestConfigIsServedAsItWasWritten(t *testing.T) {
	html := config.Document{MediaType: "text/html", Body: []byte("<script>alert(1)</script>\n")}
	s := config.Seal("payments", config.Position{Epoch: "01A", Revision: 9}, []config.Entry{{Name: "page", Revision: 4, Document: html}}, nil)
	h := serve(&shelf{snapshot: s}, nil)
	r := get(t, h, "/v1/namespaces/payments/configs/page")
	if body(t, r) != string(html.Body) || r.Header.Get("Content-Type") != "text/html" || r.Header.Get("Herald-Revision") != "9" ||
		r.Header.Get("ETag") != html.ETag().Quoted("") || r.Header.Get("Repr-Digest") != config.DigestOf(html.Body).Header() {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Content-Security-Policy") != "sandbox" {
		t.Error("a document may run as a page")
	}
	if r := get(t, h, "/v1/namespaces/payments/configs/page", "If-None-Match", html.ETag().Quoted("")); r.StatusCode != 304 {
		t.Errorf("unchanged: %d", r.StatusCode)
	}
	for path, want := range map[string]int{
		"/v1/namespaces/payments/configs/nothing": 404, "/v1/namespaces/nothing/snapshot": 404,
		"/v1/namespaces/Payments/snapshot": 400, "/v1/namespaces/payments/configs/..%2fpage": 400, "/v1/namespaces/payments": 404,
	} {
		if r := get(t, h, path); r.StatusCode != want || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
}

func TestHeldUntilItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &shelf{snapshot: sealed(1, `{}`)}
		h := serve(source, nil)
		tag := sealed(1, `{}`).ETag.Quoted("")
		began := time.Now()
		time.AfterFunc(7*time.Second, func() { source.put(sealed(2, `{"rps":1}`)) })
		r := get(t, h, path, "If-None-Match", tag, "Prefer", "respond-async, wait=30")
		if r.StatusCode != 200 || time.Since(began) != 7*time.Second || r.Header.Get("Preference-Applied") != "wait=30" || r.Header.Get("Herald-Revision") != "2" {
			t.Errorf("%d after %s, %v", r.StatusCode, time.Since(began), r.Header)
		}
	})
}

func TestHeldToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &shelf{snapshot: sealed(1, `{}`)}
		h := serve(source, nil)
		tag := sealed(1, `{}`).ETag.Quoted("")
		for prefer, want := range map[string]time.Duration{
			"wait=5": 5 * time.Second, "wait=600": time.Minute, "wait=4294967296": time.Minute, "wait=99999999999999999999": time.Minute, "wait=0": 0, "wait=-1": 0, "wait=x": 0, "": 0, `wait="3"; x`: 3 * time.Second,
		} {
			began := time.Now()
			r := get(t, h, path, "If-None-Match", tag, "Prefer", prefer)
			if r.StatusCode != 304 || time.Since(began) != want {
				t.Errorf("Prefer %q: %d after %s", prefer, r.StatusCode, time.Since(began))
			}
		}
		began := time.Now()
		if r := get(t, h, path, "Prefer", "wait=30"); r.StatusCode != 200 || time.Since(began) != 0 {
			t.Errorf("who holds nothing waited %s", time.Since(began))
		}
	})
}

func TestHeldFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &shelf{}
		h := serve(source, nil)
		began := time.Now()
		time.AfterFunc(4*time.Second, func() { source.put(sealed(1, `{}`)) })
		if r := get(t, h, path, "Prefer", "wait=30"); r.StatusCode != 200 || time.Since(began) != 4*time.Second {
			t.Errorf("first written: %d after %s", r.StatusCode, time.Since(began))
		}
		if r := get(t, h, "/v1/namespaces/payments/configs/none", "Prefer", "wait=2"); r.StatusCode != 404 || time.Since(began) != 6*time.Second {
			t.Errorf("never written: %d after %s", r.StatusCode, time.Since(began))
		}
	})
}

func TestDrainingAnswersWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		draining := make(chan struct{})
		h := serve(&shelf{snapshot: sealed(1, `{}`)}, func(h *pull.Handler) { h.Draining = draining })
		time.AfterFunc(time.Second, func() { close(draining) })
		began := time.Now()
		r := get(t, h, path, "If-None-Match", sealed(1, `{}`).ETag.Quoted(""), "Prefer", "wait=60")
		if r.StatusCode != 304 || time.Since(began) != time.Second {
			t.Errorf("%d after %s", r.StatusCode, time.Since(began))
		}
	})
}

func TestClientAndHandlerAgree(t *testing.T) {
	source := &shelf{snapshot: sealed(1, `{"text":"`+strings.Repeat("herald ", 1000)+`"}`)}
	server := httptest.NewServer(serve(source, nil))
	defer server.Close()
	for _, codings := range [][]pull.Coding{nil, {pull.Gzip}, {zstd.Coding}, {zstd.Coding, pull.Gzip}} {
		c := &pull.Client{Base: server.URL + "/", HTTP: server.Client(), Codings: codings}
		a, err := c.Fetch(t.Context(), pull.Request{Namespace: "payments"})
		if err != nil || !bytes.Equal(a.Snapshot.Body, source.snapshot.Body) {
			t.Fatalf("%v: %v", codings, err)
		}
		if a, err = c.Fetch(t.Context(), pull.Request{Namespace: "payments", Have: a.Snapshot.ETag}); err != nil || a.Snapshot != nil {
			t.Errorf("unchanged: %+v, %v", a, err)
		}
	}
}
