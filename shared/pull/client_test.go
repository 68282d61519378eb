package pull_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/pull/zstd"
)

func sealed(revision config.Revision, body string) *config.Snapshot {
	return config.Seal("payments", config.Position{Epoch: "01A", Revision: revision}, []config.Entry{{
		Name: "limits", Revision: revision, Document: config.Document{MediaType: "application/json", Body: []byte(body)},
	}}, nil)
}

func client(t *testing.T, answer http.HandlerFunc) *pull.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c := &pull.Client{Base: server.URL, HTTP: pull.NewHTTPClient(), Token: "secret", Agent: "host-7", Codings: []pull.Coding{zstd.Coding, pull.Gzip}}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c
}

// honest writes a snapshot with the fields that belong to it.
func honest(w http.ResponseWriter, s *config.Snapshot) {
	h := w.Header()
	h.Set("ETag", s.ETag.Quoted(""))
	h.Set("Repr-Digest", s.Digest.Header())
	h.Set("Herald-Revision", "1")
	h.Set("Herald-Poll-Interval", "7")
	h.Set("Herald-Agent", "relay-1")
	h.Set("Age", "100003") // more than a day
	h.Set("Herald-Stale", "true")
	_, _ = w.Write(s.Body)
}

func TestClientTakesAnHonestAnswer(t *testing.T) {
	want := sealed(1, ` {"rps": 50}`+"\n")
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Herald-Agent") != "host-7" || r.Header.Get("Prefer") != "wait=9" ||
			r.Header.Get("If-None-Match") != `"old"` || r.URL.Path != "/v1/namespaces/payments/snapshot" || r.Header.Get("Accept-Encoding") != "zstd, gzip" {
			t.Errorf("asked for %s with %v", r.URL, r.Header)
		}
		honest(w, want)
	})
	a, err := c.Fetch(t.Context(), pull.Request{Namespace: "payments", Have: "old", Wait: 9 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Snapshot.Body, want.Body) || a.Snapshot.ETag != want.ETag || a.Interval != 7*time.Second ||
		a.Agent != "relay-1" || a.Age.Truncate(10*time.Second) != 100_000*time.Second || a.Age < 100_004*time.Second || !a.Stale {
		t.Errorf("answer %+v", a)
	}
	if entry, _ := a.Snapshot.Config("limits"); string(entry.Body) != ` {"rps": 50}`+"\n" {
		t.Errorf("the document came as %q", entry.Body)
	}
}

func TestClientRefuses(t *testing.T) {
	s := sealed(1, `{"rps":50}`)
	other := config.Seal("search", s.Position, nil, nil)
	bomb := func(encode func([]byte) []byte) http.HandlerFunc {
		body := encode(bytes.Repeat([]byte{' '}, 2*pull.MaxBody))
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(body)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"wrong digest": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", config.DigestOf([]byte("x")).Header())
			_, _ = w.Write(s.Body)
		},
		"no digest": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.Body) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", s.Digest.Header())
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(s.Body[:20])
		},
		"not a snapshot": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", config.DigestOf([]byte("{}")).Header())
			_, _ = io.WriteString(w, "{}")
		},
		"empty": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", config.DigestOf(nil).Header())
		},
		"another namespace": func(w http.ResponseWriter, _ *http.Request) { honest(w, other) },
		"another revision in the header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", s.Digest.Header())
			w.Header().Set("Herald-Revision", "2")
			_, _ = w.Write(s.Body)
		},
		"a coding nobody asked for": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			honest(w, s)
		},
		"not gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			honest(w, s)
		},
		"304 to one who holds nothing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"gzip bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			bomb(pull.Gzip.Encode)(w, r)
		},
		"zstd bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "zstd")
			bomb(zstd.Coding.Encode)(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := client(t, answer).Fetch(t.Context(), pull.Request{Namespace: "payments"})
			if !errors.Is(err, pull.ErrUnverified) || a.Snapshot != nil {
				t.Errorf("answer %+v, error %v", a, err)
			}
		})
	}
}

func TestClientRefusesALying304(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"other"`)
		w.WriteHeader(http.StatusNotModified)
	})
	if _, err := c.Fetch(t.Context(), pull.Request{Namespace: "payments", Have: "mine"}); !errors.Is(err, pull.ErrUnverified) {
		t.Errorf("error %v", err)
	}
}

func TestSameETagCountsAsUnchanged(t *testing.T) {
	s := sealed(1, `{}`)
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", s.ETag.Quoted("zstd"))
		_, _ = io.WriteString(w, "whatever")
	})
	a, err := c.Fetch(t.Context(), pull.Request{Namespace: "payments", Have: s.ETag})
	if err != nil || a.Snapshot != nil {
		t.Errorf("answer %+v, error %v", a, err)
	}
}

func TestClientBoundsABomb(t *testing.T) {
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	for range 256 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body.Bytes())
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Fetch(t.Context(), pull.Request{Namespace: "payments"})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, pull.ErrUnverified) {
		t.Fatal(err)
	}
	// The total counts each growth of the buffer; what lives at once is a fraction.
	if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; grown > 200 {
		t.Errorf("a bomb of 256 MiB made %d MiB of allocations", grown)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status   int
		header   string
		body     string
		want     string
		wait     time.Duration
		notFound bool
	}{
		{503, "30", `{"code":"unavailable","detail":"storage is away"}`, "503 Service Unavailable: storage is away", 30 * time.Second, false},
		{429, "2", "", "429 Too Many Requests", 2 * time.Second, false},
		{404, "", `{"code":"not_found"}`, "404 Not Found", 0, true},
		{401, "", "<html>", "401 Unauthorized", 0, false},
		{302, "", "", "302 Found", 0, false},
		{500, "a while", strings.Repeat("x", 1<<20), "500 Internal Server Error", 0, false},
	} {
		_, err := client(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.header)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}).Fetch(t.Context(), pull.Request{Namespace: "payments"})
		refusal, ok := errors.AsType[*pull.Refusal](err)
		if !ok || refusal.Error() != c.want || refusal.RetryAfter != c.wait || errors.Is(err, pull.ErrNotFound) != c.notFound {
			t.Errorf("%d: %v, %+v", c.status, err, refusal)
		}
	}
}

func TestRetryAfterAsADate(t *testing.T) {
	_, err := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	}).Fetch(t.Context(), pull.Request{Namespace: "payments"})
	refusal, _ := errors.AsType[*pull.Refusal](err)
	if refusal == nil || refusal.RetryAfter < 50*time.Second || refusal.RetryAfter > time.Minute {
		t.Errorf("%+v", refusal)
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"Fri, 01 Jan 2100 00:00:00 GMT": 5 * time.Minute, "99999999999": 5 * time.Minute, "1e999": 0, "Inf": 5 * time.Minute,
		"Fri, 01 Jan 1999 00:00:00 GMT": 0, "-31536000": 0, "NaN": 0, "a year": 0, "": 0, "120": 2 * time.Minute,
	} {
		_, err := client(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		}).Fetch(t.Context(), pull.Request{Namespace: "payments"})
		if refusal, _ := errors.AsType[*pull.Refusal](err); refusal == nil || refusal.RetryAfter != want {
			t.Errorf("Retry-After %s: %+v", value, refusal)
		}
	}
}

func TestClientEndsWithItsContext(t *testing.T) {
	arrived := make(chan struct{})
	c := client(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := c.Fetch(ctx, pull.Request{Namespace: "payments", Wait: time.Minute}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
