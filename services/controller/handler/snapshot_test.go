package handler_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull/zstd"
)

func TestSnapshot(t *testing.T) {
	s := newSite(t)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/Payments/snapshot", "").problem(400, "invalid_name")
	s.put("payments/configs/limits", ` {"rps": 50} `)
	a := s.ask("GET", "/v1/namespaces/payments/snapshot", "").expect(200)
	snapshot, err := config.Open(a.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if string(snapshot.Configs[0].Body) != ` {"rps": 50} ` {
		t.Errorf("%s", snapshot.Body)
	}
	etag := snapshot.ETag.Quoted("")
	a.header(map[string]string{
		"Etag": etag, "Herald-Epoch": string(s.parts.Epoch), "Herald-Revision": "1", "Herald-Poll-Interval": "15",
		"Repr-Digest": snapshot.Digest.Header(), "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding",
	})
	for _, tag := range []string{etag, snapshot.ETag.Quoted("zstd"), `"other", ` + etag} {
		same := s.ask("GET", "/v1/namespaces/payments/snapshot", "", "If-None-Match: "+tag).expect(304).
			header(map[string]string{"Herald-Poll-Interval": "15"})
		if same.Body.Len() != 0 {
			t.Errorf("304 has a body: %s", same.Body)
		}
	}
	s.put("payments/configs/limits", `{"rps":51}`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "", "If-None-Match: "+etag).expect(200, `"revision":2`)
}

func TestCodings(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `"`+strings.Repeat("herald ", 1000)+`"`)
	plain := s.ask("GET", "/v1/namespaces/payments/snapshot", "")
	for coding, open := range map[string]func(io.Reader) (io.ReadCloser, error){
		"gzip": func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
		"zstd": zstd.Coding.Decode,
	} {
		a := s.ask("GET", "/v1/namespaces/payments/snapshot", "", "Accept-Encoding: "+coding).expect(200).
			header(map[string]string{"Content-Encoding": coding, "Repr-Digest": plain.Header().Get("Repr-Digest")})
		decoded, err := open(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(decoded)
		if err != nil || !bytes.Equal(body, plain.Body.Bytes()) {
			t.Errorf("%s: %v", coding, err)
		}
		if !strings.HasSuffix(a.Header().Get("Etag"), "-"+coding+`"`) {
			t.Errorf("%s: ETag %s", coding, a.Header().Get("Etag"))
		}
		s.ask("GET", "/v1/namespaces/payments/snapshot", "", "If-None-Match: "+a.Header().Get("Etag")).expect(304)
	}
	s.ask("GET", "/v1/namespaces/payments/snapshot", "", "Accept-Encoding: gzip, zstd").header(map[string]string{"Content-Encoding": "zstd"})
}

// held asks in the background and returns the answer and how long it took.
func (s *site) held(ctx context.Context, path string, headers ...string) (wait func() (answer, time.Duration)) {
	start := time.Now()
	var a answer
	var took time.Duration
	var group sync.WaitGroup
	group.Go(func() { a = s.askWith(ctx, "GET", path, "", headers...); took = time.Since(start) })
	return func() (answer, time.Duration) { group.Wait(); return a, took }
}

func TestHeldPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		path := "/v1/namespaces/payments/snapshot"
		etag := s.put("payments/configs/limits", `1`)
		tag := "If-None-Match: " + s.ask("GET", path, "").Header().Get("Etag")

		wait := s.held(t.Context(), path, tag, "Prefer: wait=20")
		time.Sleep(7 * time.Second)
		s.put("payments/configs/limits", `2`)
		a, took := wait()
		a.expect(200, `"revision":2`).header(map[string]string{"Preference-Applied": "wait=20"})
		if took != 7*time.Second {
			t.Errorf("a change arrived after %s", took)
		}

		tag = "If-None-Match: " + a.Header().Get("Etag")
		a, took = s.held(t.Context(), path, tag, "Prefer: wait=20")()
		a.expect(304).header(map[string]string{"Preference-Applied": "wait=20"})
		if took != 20*time.Second {
			t.Errorf("nothing new after %s", took)
		}
		if _, took = s.held(t.Context(), path, tag, "Prefer: wait=600")(); took != time.Minute {
			t.Errorf("held for %s", took)
		}
		if _, took = s.held(t.Context(), path, "If-None-Match: "+etag.Header().Get("Etag"), "Prefer: wait=20")(); took != 0 {
			t.Errorf("what differs was held for %s", took)
		}

		wait = s.held(t.Context(), "/v1/namespaces/new/snapshot", "Prefer: wait=20")
		time.Sleep(3 * time.Second)
		s.put("new/configs/limits", `1`)
		if a, took = wait(); a.Code != 200 || took != 3*time.Second {
			t.Errorf("a namespace that is born: %d after %s", a.Code, took)
		}
		if a, took = s.held(t.Context(), "/v1/namespaces/nobody/snapshot", "Prefer: wait=5")(); a.Code != 404 || took != 5*time.Second {
			t.Errorf("one that is not: %d after %s", a.Code, took)
		}

		one := "/v1/namespaces/payments/configs/limits"
		tag = "If-None-Match: " + s.ask("GET", one, "").Header().Get("Etag")
		wait = s.held(t.Context(), one, tag, "Prefer: wait=20")
		time.Sleep(time.Second)
		s.put("payments/configs/other", `1`) // not what is waited for
		time.Sleep(time.Second)
		s.put("payments/configs/limits", `3`)
		if a, took = wait(); a.Code != 200 || a.Body.String() != "3" || took != 2*time.Second {
			t.Errorf("one config: %d %s after %s", a.Code, a.Body, took)
		}

		ctx, cancel := context.WithCancel(t.Context())
		wait = s.held(ctx, path, "If-None-Match: "+s.ask("GET", path, "").Header().Get("Etag"), "Prefer: wait=20")
		time.Sleep(time.Second)
		cancel()
		if _, took = wait(); took != time.Second {
			t.Errorf("a client that goes away was held for %s", took)
		}

		wait = s.held(t.Context(), path, "If-None-Match: "+s.ask("GET", path, "").Header().Get("Etag"), "Prefer: wait=20")
		time.Sleep(time.Second)
		close(s.draining)
		if a, took = wait(); a.Code != 304 || took != time.Second {
			t.Errorf("at the stop: %d after %s", a.Code, took)
		}
	})
}
