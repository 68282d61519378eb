package handler_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/telemetry"
)

func TestHistory(t *testing.T) {
	s := newSite(t)
	for i := range 5 {
		s.put("payments/configs/limits", fmt.Sprint(i))
	}
	s.ask("DELETE", "/v1/namespaces/payments/configs/limits", "").expect(200)
	type page struct {
		Revisions []struct {
			Revision int
			Hash     string
			Changes  []struct{ Op, Name, ETag string }
		}
		Next string
	}
	var seen []int
	for path := "/v1/namespaces/payments/revisions?limit=4"; path != ""; {
		p := decode[page](s.ask("GET", path, "").expect(200))
		for _, r := range p.Revisions {
			seen = append(seen, r.Revision)
			if len(r.Hash) != 64 || len(r.Changes) != 1 || r.Changes[0].Name != "limits" {
				t.Errorf("%+v", r)
			}
		}
		path = p.Next
	}
	if fmt.Sprint(seen) != "[6 5 4 3 2 1]" {
		t.Errorf("pages have %v", seen)
	}
	s.ask("GET", "/v1/namespaces/payments/revisions/6", "").expect(200, `"changes":[{"op":"delete","name":"limits"}]`)
	s.ask("GET", "/v1/namespaces/payments/revisions/7", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/payments/revisions/x", "").problem(400, "invalid_request")
	s.ask("GET", "/v1/namespaces/nobody/revisions", "").problem(404, "not_found")
	for _, limit := range []string{"0", "-1", "x"} {
		s.ask("GET", "/v1/namespaces/payments/revisions?limit="+limit, "").problem(400, "invalid_request", "limit")
	}
	s.ask("GET", "/v1/namespaces/payments/revisions?limit=5000", "").expect(200)
	s.ask("GET", "/v1/namespaces/payments/revisions?before=x", "").problem(400, "invalid_request")
}

func TestConfigAtARevision(t *testing.T) {
	s := newSite(t)
	old := s.put("payments/configs/limits", ` 1 `).Header().Get("Etag")
	s.put("payments/configs/limits", `2`)
	path := "/v1/namespaces/payments/configs/limits?revision="
	a := s.ask("GET", path+"1", "").expect(200).header(map[string]string{"Etag": old, "Herald-Revision": "1", "Content-Type": "application/json"})
	if a.Body.String() != " 1 " {
		t.Errorf("%q", a.Body)
	}
	s.ask("GET", path+"1", "", "If-None-Match: "+old).expect(304)
	s.ask("GET", path+"1", "", "If-None-Match: W/"+old).expect(304)
	s.ask("GET", path+"2", "", "If-None-Match: "+old).expect(200, "2")
	s.ask("GET", path+"3", "").problem(404, "not_found")
	s.ask("GET", path+"x", "").problem(400, "invalid_request")
	s.ask("GET", "/v1/namespaces/payments/configs/other?revision=1", "").problem(404, "not_found")
}

func TestLists(t *testing.T) {
	s := newSite(t)
	for i := range 3 {
		s.put(fmt.Sprintf("n%d/configs/limits", i), `1`)
		s.put(fmt.Sprintf("n0/configs/c%d", i), `22`)
	}
	s.ask("GET", "/v1/namespaces?limit=2", "").expect(200, `"namespace":"n0"`, `"configs":4`, `"next":"/v1/namespaces?after=n1&limit=2"`)
	next := decode[struct{ Next string }](s.ask("GET", "/v1/namespaces?limit=2", "")).Next
	if a := s.ask("GET", next, "").expect(200, `"namespace":"n2"`); strings.Contains(a.Body.String(), "next") {
		t.Errorf("the last page has a next one: %s", a.Body)
	}
	s.ask("GET", "/v1/namespaces/n0/configs?limit=2", "").expect(200, `"name":"c1"`, `"size":2`, `"mediaType":"application/json"`, `"next":"/v1/namespaces/n0/configs?after=c1`)
	s.ask("GET", "/v1/namespaces/n0/configs?after=c2", "").expect(200, `{"configs":[{"name":"limits","revision":1,"etag":"`)
	s.ask("GET", "/v1/namespaces/nobody/configs", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/A/configs", "").problem(400, "invalid_name")
}

func TestRouter(t *testing.T) {
	s := newSite(t)
	s.ask("GET", "/v2", "").problem(404, "not_found")
	if allow := s.ask("POST", "/v1/namespaces", "").problem(405, "method_not_allowed").Header().Get("Allow"); !strings.Contains(allow, "GET") {
		t.Errorf("Allow: %s", allow)
	}
}

func TestHealth(t *testing.T) {
	s := newSite(t)
	s.ask("GET", "/healthz", "").expect(200, `{"status":"ok"}`)
	s.ask("GET", "/readyz", "").expect(200, `"ready":true`, `"bus":{"state":"none"}`)
	s.put("payments/configs/limits", `1`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "")
	s.ask("GET", "/v1/status", "").expect(200, `"version":"test"`, `"store":{"state":"ok"}`, string(s.parts.Epoch))
	s.ask("GET", "/metrics", "").expect(200, `herald_controller_commits_total{changed="true"} 1`,
		`herald_controller_pulls_total{status="200"} 1`, `herald_controller_agents{state="online"} 0`, "herald_controller_bus_up 0")
}

func TestNotReady(t *testing.T) {
	s := newSite(t)
	s.parts.Ready = func(context.Context) error { return fmt.Errorf("%w: disk I/O error", usecase.ErrUnavailable) }
	s.routes = handler.New(s.parts).Routes(telemetry.NewRegistry())
	s.ask("GET", "/readyz", "").problem(503, "unavailable", "disk I/O error").header(map[string]string{"Retry-After": "1"})
	s.ask("GET", "/v1/status", "").expect(200, `"store":{"state":"down"}`)
	s.ask("GET", "/healthz", "").expect(200)
}

// TestLargeBodyOverTheWire: a client that sends far too much sees the answer.
func TestLargeBodyOverTheWire(t *testing.T) {
	s := newSite(t)
	server := httptest.NewServer(s.routes)
	defer server.Close()
	for _, expect := range []string{"", "100-continue"} {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", server.URL+"/v1/namespaces/payments/configs/limits",
			bytes.NewReader(make([]byte, 8<<20)))
		if err != nil {
			t.Fatal(err)
		}
		if expect != "" {
			r.Header.Set("Expect", expect)
		}
		a, err := server.Client().Do(r)
		if err != nil {
			t.Fatalf("Expect %q: %v", expect, err)
		}
		body, _ := io.ReadAll(a.Body)
		a.Body.Close()
		if a.StatusCode != 413 || !bytes.Contains(body, []byte("too_large")) {
			t.Errorf("Expect %q: %d %s", expect, a.StatusCode, body)
		}
	}
}
