package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/worker/domain"
	"github.com/heraldconf/herald/services/worker/handler"
	"github.com/heraldconf/herald/services/worker/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
	"github.com/heraldconf/herald/shared/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is all that is behind a handler.
type world struct {
	at     config.Position
	answer domain.Answer
	err    error
	status sdk.Status
}

func (w *world) Current() (domain.Target, config.Position) {
	return domain.Target{Timeout: time.Second}, w.at
}

func (w *world) Request(context.Context, domain.Target) (domain.Answer, error) {
	return w.answer, w.err
}
func (w *world) Status() sdk.Status { return w.status }

func routes(t *testing.T, w *world) http.Handler {
	t.Helper()
	none, err := bus.Open("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = none.Close() })
	h := &handler.Handler{Hits: &usecase.Hits{Running: w, Requester: w}, Watcher: w, Bus: none, Metrics: telemetry.NewRegistry()}
	return h.Routes()
}

func ask(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
}

func TestHitPassesTheAnswerOn(t *testing.T) {
	w := &world{
		at:     config.Position{Epoch: "E1", Revision: 42},
		answer: domain.Answer{Status: 418, ContentType: "text/html", ContentEncoding: "br", Body: []byte("<script>")},
	}
	answer := ask(t, routes(t, w), "/hit")
	if answer.Code != 418 || answer.Body.String() != "<script>" {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	for name, want := range map[string]string{
		"Herald-Revision": "42", "Herald-Epoch": "E1", "Content-Type": "text/html", "Content-Encoding": "br",
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox", "Cache-Control": "no-store",
	} {
		if got := answer.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestHitMakesNoContentTypeUp(t *testing.T) {
	w := &world{at: config.Position{Epoch: "E1", Revision: 42}, answer: domain.Answer{Status: 200, Body: []byte("<html>")}}
	server := httptest.NewServer(routes(t, w))
	defer server.Close()
	answer, err := server.Client().Get(server.URL + "/hit")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if got, ok := answer.Header["Content-Type"]; ok {
		t.Errorf("Content-Type %q", got)
	}
}

func TestHitOfAStatusWithoutABody(t *testing.T) {
	w := &world{at: config.Position{Epoch: "E1", Revision: 42}, answer: domain.Answer{Status: 204, Body: []byte("surplus")}}
	server := httptest.NewServer(routes(t, w))
	defer server.Close()
	answer, err := server.Client().Get(server.URL + "/hit")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent || answer.Header.Get("Herald-Revision") != "42" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
}

func TestHitProblems(t *testing.T) {
	for _, c := range []struct {
		revision config.Revision
		err      error
		status   int
		code     string
	}{
		{0, nil, 503, "unavailable"},
		{42, fmt.Errorf("%w: connection refused", domain.ErrTargetFailed), 502, "target_failed"},
		{42, fmt.Errorf("%w: %w", domain.ErrTargetFailed, domain.ErrHostNotAllowed), 502, "target_failed"},
		{42, domain.ErrTargetTimeout, 504, "target_timeout"},
	} {
		h := routes(t, &world{at: config.Position{Epoch: "E1", Revision: c.revision}, err: c.err})
		answer := ask(t, h, "/hit")
		var problem struct{ Code, Detail string }
		if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil {
			t.Fatal(err)
		}
		if answer.Code != c.status || problem.Code != c.code || problem.Detail == "" {
			t.Errorf("%v: %d %+v", c.err, answer.Code, problem)
		}
		if got := answer.Header().Get("Herald-Revision"); (got == "42") != (c.revision == 42) {
			t.Errorf("%v: Herald-Revision %q", c.err, got)
		}
	}
}

func TestStatusIsAsDocumented(t *testing.T) {
	at := time.Date(2026, 8, 21, 10, 0, 0, 0, time.UTC)
	w := &world{status: sdk.Status{
		Worker: "w-1", Namespace: "demo", Agent: sdk.AgentStatus{URL: "http://127.0.0.1:8081", State: sdk.OK},
	}}
	want := `{"id":"w-1","agent":{"url":"http://127.0.0.1:8081","state":"ok","last_error":""},"namespace":"demo",` +
		`"running":null,"last_rejected":null,"bus":{"state":"none"}}`
	if got := strings.TrimSpace(ask(t, routes(t, w), "/v1/status").Body.String()); got != want {
		t.Errorf("at first:\n%s\nwant\n%s", got, want)
	}
	w.status.Running = &sdk.Running{Position: config.Position{Epoch: "01J", Revision: 42}, Since: at}
	w.status.LastRejected = &sdk.Rejected{Position: config.Position{Epoch: "01J", Revision: 43}, Code: "decode", Message: "m", At: at}
	got := ask(t, routes(t, w), "/v1/status").Body.String()
	for _, part := range []string{
		`"running":{"epoch":"01J","revision":42,"since":"2026-08-21T10:00:00Z"}`,
		`"last_rejected":{"epoch":"01J","revision":43,"code":"decode","message":"m","at":"2026-08-21T10:00:00Z"}`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
}

func TestHealth(t *testing.T) {
	w := &world{status: sdk.Status{LastRejected: &sdk.Rejected{Message: "not a target"}}}
	h := routes(t, w)
	if answer := ask(t, h, "/healthz"); answer.Code != 200 {
		t.Errorf("healthz: %d", answer.Code)
	}
	if answer := ask(t, h, "/readyz"); answer.Code != 503 || !strings.Contains(answer.Body.String(), "not a target") {
		t.Errorf("readyz with nothing to run on: %d %s", answer.Code, answer.Body)
	}
	w.status = sdk.Status{Agent: sdk.AgentStatus{LastError: "connection refused"}}
	if answer := ask(t, h, "/readyz"); answer.Code != 503 || !strings.Contains(answer.Body.String(), "connection refused") {
		t.Errorf("readyz with no agent: %d %s", answer.Code, answer.Body)
	}
	w.status.Running = &sdk.Running{Position: config.Position{Revision: 1}}
	if answer := ask(t, h, "/readyz"); answer.Code != 200 || !strings.Contains(answer.Body.String(), `"bus":"none"`) {
		t.Errorf("readyz: %d %s", answer.Code, answer.Body)
	}
}

func TestMetrics(t *testing.T) {
	w := &world{at: config.Position{Epoch: "E1", Revision: 42}, err: errors.Join(domain.ErrTargetFailed)}
	w.status.Running, w.status.Agent.State = &sdk.Running{Position: w.at}, sdk.OK
	h := routes(t, w)
	ask(t, h, "/hit")
	got := ask(t, h, "/metrics").Body.String()
	for _, line := range []string{`herald_worker_hits_total{outcome="failed"} 1`, "herald_worker_revision 42", "herald_agent_up 1", "herald_bus_up 0"} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

func TestRoutesThatAreNone(t *testing.T) {
	h := routes(t, &world{})
	if answer := ask(t, h, "/nothing"); answer.Code != 404 || !strings.Contains(answer.Body.String(), "not_found") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/hit", nil))
	if answer.Code != 405 || !strings.Contains(answer.Header().Get("Allow"), "GET") {
		t.Errorf("%d %v", answer.Code, answer.Header())
	}
}
