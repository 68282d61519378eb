package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

var (
	errGone  = errors.New("gone")
	errBusy  = errors.New("busy")
	statuses = []httpapi.Status{
		{Err: errGone, Status: http.StatusNotFound, Problem: "not_found"},
		{Err: errBusy, Status: http.StatusServiceUnavailable, Problem: "unavailable"},
	}
)

// ask has a handler answer one request, and reads the problem that it answers.
func ask(t *testing.T, h http.Handler, r *http.Request) (*http.Response, httpapi.Problem) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answer := w.Result()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p httpapi.Problem
	if answer.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(body, &p); err != nil || p.Status != answer.StatusCode || p.Title != http.StatusText(p.Status) {
			t.Errorf("%d %s: %v", answer.StatusCode, body, err)
		}
	}
	return answer, p
}

// logged collects the log of a test.
func logged(t *testing.T) *bytes.Buffer {
	t.Helper()
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &log
}

func get(t *testing.T) *http.Request {
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
}

func TestErrorsAreAnswered(t *testing.T) {
	faulty := config.CheckJSON([]byte(`{"a":1,"a":2}`))
	held := httpapi.NewProblem(http.StatusTooManyRequests, "overloaded", "later")
	held.RetryAfter = 1200 * time.Millisecond
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
		detail string
		retry  string
	}{
		"of the table":        {errGone, 404, "not_found", "gone", ""},
		"wrapped":             {fmt.Errorf("config x: %w", errGone), 404, "not_found", "config x: gone", ""},
		"joined":              {errors.Join(errors.New("and"), errBusy), 503, "unavailable", "and\nbusy", "1"},
		"a problem":           {held, 429, "overloaded", "later", "2"},
		"a wrapped problem":   {fmt.Errorf("x: %w", httpapi.NewProblem(401, "unauthorized", "who?")), 401, "unauthorized", "who?", ""},
		"a name":              {fmt.Errorf("x: %w", config.ErrInvalidName), 400, "invalid_name", "x: invalid name", ""},
		"a document":          {faulty, 400, "invalid_json", "invalid JSON: /a this key stands twice in its object, line 1, column 8", ""},
		"a media type":        {config.ErrMediaType, 415, "unsupported_media_type", "unsupported media type", ""},
		"too large":           {fmt.Errorf("x: %w", &http.MaxBytesError{Limit: 7}), 413, "too_large", "the body is larger than 7 bytes", ""},
		"of nobody's":         {errors.New("password is hunter2"), 500, "internal", "an error of the server; its log says more", ""},
		"a deadline of ours":  {context.DeadlineExceeded, 500, "internal", "an error of the server; its log says more", ""},
		"cancelled elsewhere": {context.Canceled, 500, "internal", "an error of the server; its log says more", ""},
	} {
		log := logged(t)
		answer, p := ask(t, httpapi.Handle(statuses, func(http.ResponseWriter, *http.Request) error { return c.err }), get(t))
		if answer.StatusCode != c.status || p.Code != c.code || p.Detail != c.detail || p.Type != "urn:herald:problem:"+c.code {
			t.Errorf("%s: %d %+v", name, answer.StatusCode, p)
		}
		if got := answer.Header.Get("Retry-After"); got != c.retry {
			t.Errorf("%s: Retry-After %q, want %q", name, got, c.retry)
		}
		if challenge := answer.Header.Get("WWW-Authenticate"); (challenge != "") != (c.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", name, challenge)
		}
		if answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached", name)
		}
		if strings.Contains(log.String(), "request failed") != (c.status == 500) {
			t.Errorf("%s: log %q", name, log)
		}
	}
}

func TestFaultsAreNamed(t *testing.T) {
	_, p := ask(t, httpapi.Handle(nil, func(http.ResponseWriter, *http.Request) error {
		return fmt.Errorf("x: %w", config.CheckJSON([]byte(`{"a":[{"b":1,"b":2}]}`)))
	}), get(t))
	if len(p.Errors) != 1 || p.Errors[0].Path != "/a/0/b" || !strings.Contains(p.Errors[0].Message, "line 1") {
		t.Errorf("%+v", p)
	}
}

// Nobody is there to read an answer, and nothing went wrong.
func TestClientThatHasGoneIsNotAnswered(t *testing.T) {
	log := logged(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	httpapi.Handle(nil, func(_ http.ResponseWriter, r *http.Request) error { return r.Context().Err() }).
		ServeHTTP(w, get(t).WithContext(ctx))
	if w.Body.Len() > 0 || log.Len() > 0 {
		t.Errorf("%q, log %q", w.Body, log)
	}
}

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	if err := httpapi.WriteJSON(w, http.StatusCreated, map[string]string{"a": "<&>"}); err != nil {
		t.Fatal(err)
	}
	if w.Code != 201 || w.Body.String() != "{\"a\":\"<&>\"}\n" || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	if err := httpapi.WriteJSON(w, http.StatusOK, func() {}); err == nil || w.Body.Len() > 0 {
		t.Errorf("what is no JSON: %v, %q", err, w.Body)
	}
}
