package pull_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// A silent upstream answers without a socket, so that the time is the test's.
type silent func(r *http.Request) (*http.Response, error)

func (f silent) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A dripping body brings a part of itself with each pause, and then nothing.
type dripping struct {
	r     *http.Request
	body  []byte
	part  int
	pause time.Duration
}

func (d *dripping) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
	case <-d.r.Context().Done():
		return 0, d.r.Context().Err()
	}
	n := copy(p, d.body[:min(d.part, len(d.body))])
	if d.body = d.body[n:]; len(d.body) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (d *dripping) Close() error { return nil }

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// drip answers with a snapshot of that size, a part with each pause.
func drip(size, part int, pause time.Duration) silent {
	body := config.Seal("payments", config.Position{Epoch: "01A", Revision: 1}, []config.Entry{{
		Name: "limits", Revision: 1, Document: config.Document{MediaType: "text/plain", Body: []byte(strings.Repeat("a", size))},
	}}, nil)
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		w.Header().Set("Repr-Digest", body.Digest.Header())
		answer := w.Result()
		answer.Body = &dripping{r: r, body: body.Body, part: part, pause: pause}
		return answer, nil
	}
}

func TestSilenceCostsAFewSeconds(t *testing.T) {
	for name, c := range map[string]struct {
		upstream silent
		wait     time.Duration
		after    time.Duration // 0: it is answered
	}{
		"nothing":            {upstream: hang, after: 8 * time.Second},
		"nothing while held": {upstream: hang, wait: 30 * time.Second, after: 38 * time.Second},
		"a head alone":       {upstream: drip(100, 100, time.Hour), after: 8 * time.Second},
		"a few bytes a time": {upstream: drip(100, 1, time.Second), after: 8 * time.Second},
		"a slow line":        {upstream: drip(1<<20, 16<<10, 200*time.Millisecond)},
		"a line too slow":    {upstream: drip(1<<20, 16<<10, 400*time.Millisecond), after: 20 * time.Second},
		"held, then quick": {wait: time.Minute, upstream: func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Minute)
			return drip(100, 1000, time.Second)(r)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := pull.Client{Base: "http://upstream", HTTP: &http.Client{Transport: c.upstream}}
				began := time.Now()
				answer, err := client.Fetch(t.Context(), pull.Request{Namespace: "payments", Wait: c.wait})
				took := time.Since(began)
				switch {
				case c.after == 0 && (err != nil || answer.Snapshot == nil):
					t.Errorf("after %s: %v", took, err)
				case c.after > 0 && (err == nil || took != c.after):
					t.Errorf("ended after %s, want %s: %v", took, c.after, err)
				case c.after == 8*time.Second && (!strings.Contains(err.Error(), "says nothing") || errors.Is(err, pull.ErrUnverified)):
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}
