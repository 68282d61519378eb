package httpapi_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/httpapi"
)

func router(routes map[string]httpapi.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.Handle(pattern, httpapi.Handle(statuses, h))
	}
	return httpapi.Router(mux)
}

func said(text string) httpapi.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.WriteString(w, text+r.PathValue("id"))
		return err
	}
}

func TestRouter(t *testing.T) {
	h := router(map[string]httpapi.HandlerFunc{
		"GET /v1/agents/{id}": said("one "), "PATCH /v1/agents/{id}": said("patched "), "GET /v1/agents": said("all"), "POST /v1/reports": said("told"),
	})
	for _, c := range []struct {
		method, path string
		status       int
		says, allow  string
	}{
		{"GET", "/v1/agents", 200, "all", ""},
		{"GET", "/v1/agents/a%2Fb", 200, "one a/b", ""},
		{"HEAD", "/v1/agents", 200, "", ""},
		{"PATCH", "/v1/agents/7", 200, "patched 7", ""},
		{"GET", "/", 404, "not_found", ""},
		{"GET", "/v1/agents/7/x", 404, "not_found", ""},
		{"DELETE", "/nowhere", 404, "not_found", ""},
		{"DELETE", "/v1/agents", 405, "method_not_allowed", "GET, HEAD"},
		{"PUT", "/v1/agents/7", 405, "method_not_allowed", "GET, HEAD, PATCH"},
		{"GET", "/v1/reports", 405, "method_not_allowed", "POST"},
		{"OPTIONS", "/v1/reports", 405, "method_not_allowed", "POST"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q, Allow %q", c.method, c.path, w.Code, w.Body, w.Header().Get("Allow"))
		}
		if refused := c.status >= 400; refused != (w.Header().Get("Content-Type") == "application/problem+json") {
			t.Errorf("%s %s: %s", c.method, c.path, w.Header().Get("Content-Type"))
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	log := logged(t)
	answer, p := ask(t, router(map[string]httpapi.HandlerFunc{"/x": func(http.ResponseWriter, *http.Request) error { panic("the secret reason") }}), get(t))
	if answer.StatusCode != 500 || p.Code != "internal" || strings.Contains(p.Detail, "secret") {
		t.Errorf("%d %+v", answer.StatusCode, p)
	}
	if !strings.Contains(log.String(), "the secret reason") || !strings.Contains(log.String(), "router_test.go") {
		t.Errorf("the log says neither why nor where: %s", log)
	}
}

// Half an answer is broken off, so that nobody takes it for a whole one.
func TestHalfAnAnswerIsBrokenOff(t *testing.T) {
	for name, fail := range map[string]func() error{
		"panic": func() error { panic("in the middle") },
		"error": func() error { return errors.New("in the middle") },
		"abort": func() error { panic(http.ErrAbortHandler) },
	} {
		log := logged(t)
		server := httptest.NewServer(router(map[string]httpapi.HandlerFunc{"/x": func(w http.ResponseWriter, _ *http.Request) error {
			io.WriteString(w, `{"half":`)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			return fail()
		}}))
		answer, err := server.Client().Get(server.URL + "/x")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		server.Close()
		if err == nil || string(body) != `{"half":` {
			t.Errorf("%s: %q, %v", name, body, err)
		}
		if quiet := !strings.Contains(log.String(), "in the middle"); quiet != (name == "abort") {
			t.Errorf("%s: log %q", name, log)
		}
	}
}

// An early hint is no answer yet.
func TestHintsAreNoAnswer(t *testing.T) {
	server := httptest.NewServer(router(map[string]httpapi.HandlerFunc{"/x": func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusEarlyHints)
		return errGone
	}}))
	defer server.Close()
	answer, err := server.Client().Get(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Error(answer.Status)
	}
}
