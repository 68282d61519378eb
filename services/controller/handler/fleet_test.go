package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/shared/config"
)

func (s *site) enrol(id string) {
	s.t.Helper()
	s.ask("POST", "/v1/agents", fmt.Sprintf(`{"id":%q,"hostname":"h","labels":{"zone":"a"},"version":"1","namespaces":["payments"]}`, id)).expect(200)
}

func (s *site) report(worker string, status config.Status, revision config.Revision) answer {
	s.t.Helper()
	body, err := json.Marshal(config.Reports{Applied: []config.Verdict{{
		Worker: worker, Namespace: "payments", Revision: revision, Status: status, Code: "decode", Message: "no", At: time.Now(),
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.ask("POST", "/v1/agents/host-7/reports", string(body)).expect(200)
}

func TestAgents(t *testing.T) {
	s := newSite(t)
	s.ask("GET", "/v1/agents", "").expect(200, `{"agents":[]}`)
	s.ask("POST", "/v1/agents", `{"id":"host-7","hostname":"h","labels":{"zone":"a"},"version":"1","namespaces":["payments"]}`).
		expect(200, `{"id":"host-7","poll_interval_seconds":15,"namespaces":["payments"]}`)
	s.ask("PATCH", "/v1/agents/host-7", `{"poll_interval_seconds":0.5,"namespaces":["web","audit"]}`).
		expect(200, `"poll_interval_seconds":0.5`, `"namespaces":["audit","payments","web"]`)
	s.ask("POST", "/v1/agents", `{"id":"host-7"}`).expect(200, `{"id":"host-7","poll_interval_seconds":0.5,"namespaces":["audit","web"]}`)
	s.ask("GET", "/v1/agents/host-7", "").expect(200, `"labels":{}`, `"state":"online"`, `"fetched":{}`, `"last_seen":"20`)
	s.put("payments/configs/limits", `1`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "", "Herald-Agent: host-7").header(map[string]string{"Herald-Poll-Interval": "0.5"})
	s.ask("GET", "/v1/namespaces/payments/snapshot", "", "Herald-Agent: other").header(map[string]string{"Herald-Poll-Interval": "15"})
	s.ask("PATCH", "/v1/agents/host-7", `{"poll_interval_seconds":null,"namespaces":[]}`).expect(200, `"poll_interval_seconds":15`, `"namespaces":[]`)
	s.ask("POST", "/v1/agents", `{"id":"a-1"}`).expect(200)
	s.ask("GET", "/v1/agents?limit=1", "").expect(200, `"id":"a-1"`, `"next":"/v1/agents?after=a-1`)
	s.ask("GET", "/v1/agents?after=a-1", "").expect(200, `{"agents":[{"id":"host-7","hostname":"","labels":{},"version":""`)
}

func TestAgentRefusals(t *testing.T) {
	s := newSite(t)
	s.enrol("host-7")
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "", `{"id":"a b"}`, "400 invalid_name"},
		{"POST", "", `{"id":""}`, "400 invalid_name"},
		{"POST", "", `{"id":"a","namespaces":["A"]}`, "400 invalid_name"},
		{"POST", "", `{"id":"a","shoe_size":43}`, "400 invalid_request"},
		{"POST", "", `{"id":"a","labels":{"":"x"}}`, "400 invalid_request"},
		{"POST", "", `{"id":"a","hostname":"` + strings.Repeat("h", 256) + `"}`, "400 invalid_request"},
		{"POST", "", `{"id":"a",`, "400 invalid_request"},
		{"GET", "/nobody", ``, "404 not_found"},
		{"GET", "/a%20b", ``, "400 invalid_name"},
		{"PATCH", "/nobody", `{"poll_interval_seconds":5}`, "404 not_found"},
		{"PATCH", "/host-7", `{}`, "400 invalid_request"},
		{"PATCH", "/host-7", `{"poll_interval_seconds":0}`, "400 invalid_request"},
		{"PATCH", "/host-7", `{"poll_interval_seconds":-5}`, "400 invalid_request"},
		{"PATCH", "/host-7", `{"poll_interval_seconds":1e9}`, "400 invalid_request"},
		{"PATCH", "/host-7", `{"poll_interval_seconds":"5s"}`, "400 invalid_request"},
		{"PATCH", "/host-7", `{"namespaces":["A"]}`, "400 invalid_name"},
		{"PATCH", "/host-7", `{"hostname":"x"}`, "400 invalid_request"},
		{"POST", "/a%20b/reports", `{}`, "400 invalid_name"},
		{"POST", "/host-7/reports", `{"applied":1}`, "400 invalid_request"},
	} {
		a := s.ask(c.method, "/v1/agents"+c.path, c.body)
		if got := fmt.Sprintf("%d %s", a.Code, decode[struct{ Code string }](a).Code); got != c.want {
			t.Errorf("%s %s %.60s: got %s, want %s: %s", c.method, c.path, c.body, got, c.want, a.Body)
		}
	}
}

func TestReportsAndFleet(t *testing.T) {
	s := newSite(t)
	s.ask("GET", "/v1/namespaces/payments/fleet", "").problem(404, "not_found")
	s.put("payments/configs/limits", `1`)
	s.put("payments/configs/limits", `2`)
	s.enrol("host-7")
	s.ask("GET", "/v1/namespaces/payments/fleet", "").
		expect(200, `"revision":2,"summary":{"workers":0,"current":0,"behind":0,"rejected":0,"lost":0},"workers":[]`)
	s.report("w-2", config.Applied, 2).expect(200, `{"recorded":1,"refused":0}`)
	s.report("w-1", config.Applied, 1)
	s.report("w-1", config.Rejected, 2)
	a := s.ask("GET", "/v1/namespaces/payments/fleet", "").expect(200, `"summary":{"workers":2,"current":1,"behind":0,"rejected":1,"lost":0}`)
	type fleet struct {
		Epoch   string
		Workers []struct {
			ID, Agent, State string
			Running          *struct{ Revision int }
			LastRejected     *struct {
				Revision      int
				Code, Message string
			} `json:"last_rejected"`
		}
	}
	f := decode[fleet](a)
	w := f.Workers[0]
	if f.Epoch != string(s.parts.Epoch) || w.ID != "w-1" || w.Agent != "host-7" || w.State != "rejected" || w.Running.Revision != 1 ||
		w.LastRejected.Revision != 2 || w.LastRejected.Code != "decode" || w.LastRejected.Message != "no" {
		t.Errorf("%s", a.Body)
	}
	s.ask("GET", "/v1/namespaces/payments/fleet?revision=1", "").expect(200, `"revision":1,"summary":{"workers":2,"current":2`)
	s.ask("GET", "/v1/namespaces/payments/fleet?revision=3", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/payments/fleet?revision=0", "").problem(400, "invalid_request")

	s.report("w 3", config.Applied, 2).expect(200, `{"recorded":0,"refused":1}`)
	s.report("w-3", config.Applied, 9).expect(200, `"refused":1`)
	s.ask("POST", "/v1/agents/host-7/reports", `{"fetched":[{"agent":"","namespace":"payments","revision":2,"epoch":"","at":"2026-08-21T12:00:00Z"}]}`).
		expect(200, `"recorded":1`)
	s.ask("GET", "/v1/agents/host-7", "").
		expect(200, `"fetched":{"payments":{"epoch":"`+string(s.parts.Epoch)+`","revision":2,"at":"2026-08-21T12:00:00Z"}}`)
}

// TestConfirmedETagIsAFetch: an agent sends an ETag only for what it keeps.
func TestConfirmedETagIsAFetch(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `1`)
	s.enrol("host-7")
	etag := s.ask("GET", "/v1/namespaces/payments/snapshot", "", "Herald-Agent: host-7").Header().Get("Etag")
	s.ask("GET", "/v1/agents/host-7", "").expect(200, `"fetched":{}`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "", "Herald-Agent: host-7", "If-None-Match: "+etag).expect(304)
	s.ask("GET", "/v1/agents/host-7", "").expect(200, `"fetched":{"payments":{`, `"revision":1`)
}

func TestEvents(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `1`)
	routes := s.handler.Events()
	if len(routes) != 1 || routes[0].Topic != events.TopicApplied {
		t.Fatalf("%+v", routes)
	}
	tell := func(payload string) { routes[0].Handle(context.Background(), []byte(payload)) }
	tell(`{"worker":"w-1","namespace":"payments","revision":1,"status":"applied"}`)
	for _, forged := range []string{``, `{`, `[]`, `{"worker":"w-2"}`, `{"worker":"w-2","namespace":"payments","revision":1e99,"status":"applied"}`,
		`{"worker":"w-2","namespace":"payments","revision":7,"status":"applied"}`, `{"worker":"w-2","namespace":"nobody","revision":1,"status":"applied"}`,
		`{"worker":"w-2","namespace":"payments","revision":1,"epoch":"ZZZ","status":"applied"}`} {
		tell(forged)
	}
	s.ask("GET", "/v1/namespaces/payments/fleet", "").expect(200, `"workers":1,"current":1`)
	s.ask("GET", "/metrics", "").expect(200, `herald_controller_reports_total{outcome="recorded"} 1`, `herald_controller_reports_total{outcome="refused"} 8`)
}

func TestHeldFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		path := "/v1/namespaces/payments/fleet"
		s.put("payments/configs/limits", `1`)
		if a, took := s.held(t.Context(), path, "Prefer: wait=20")(); a.Code != 200 || took != 0 {
			t.Errorf("with nobody to wait for: %d after %s", a.Code, took)
		}
		s.enrol("host-7")
		s.report("w-1", config.Applied, 1)
		s.report("w-2", config.Applied, 1)
		s.put("payments/configs/limits", `2`)

		wait := s.held(t.Context(), path+"?revision=2", "Prefer: wait=20")
		time.Sleep(3 * time.Second)
		s.report("w-1", config.Applied, 1) // nothing new
		time.Sleep(time.Second)
		s.report("w-1", config.Applied, 2)
		a, took := wait()
		a.expect(200, `"current":1,"behind":1`).header(map[string]string{"Preference-Applied": "wait=20"})
		if took != 4*time.Second {
			t.Errorf("a change of the summary was told after %s", took)
		}

		wait = s.held(t.Context(), path+"?revision=2", "Prefer: wait=60")
		time.Sleep(2 * time.Second)
		s.report("w-2", config.Applied, 2)
		spoke := time.Now()
		if a, took = wait(); took != 2*time.Second {
			t.Errorf("all are current, told after %s", took)
		}
		a.expect(200, `"current":2`)

		s.put("payments/configs/limits", `3`)
		if a, took = s.held(t.Context(), path, "Prefer: wait=10")(); took != 10*time.Second {
			t.Errorf("held for %s", took)
		}
		a.expect(200, `"behind":2`)
		for !strings.Contains(a.Body.String(), `"lost":2`) { // which the clock alone tells
			a, _ = s.held(t.Context(), path, "Prefer: wait=60")()
		}
		if silent := time.Since(spoke); silent > 5*interval+2*time.Second {
			t.Errorf("the last worker was lost after %s", silent)
		}

		s.report("w-1", config.Applied, 1)
		wait = s.held(t.Context(), path, "Prefer: wait=60")
		time.Sleep(time.Second)
		close(s.draining)
		if _, took = wait(); took != time.Second {
			t.Errorf("at the stop: held for %s", took)
		}
	})
}

func TestGoodbyes(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `1`)
	s.enrol("host-7")
	s.report("w-1", config.Applied, 1)
	s.report("w-2", config.Applied, 1)
	s.ask("POST", "/v1/agents/host-7/reports", `{"stopped":[{"worker":"w-1","namespace":"payments"},{"worker":"w 3","namespace":"payments"}]}`).
		expect(200, `{"recorded":1,"refused":1}`)
	a := s.ask("GET", "/v1/namespaces/payments/fleet", "").expect(200, `"summary":{"workers":1,"current":1`)
	if strings.Contains(a.Body.String(), "w-1") {
		t.Errorf("still listed: %s", a.Body)
	}
	s.ask("POST", "/v1/agents/host-7/reports", `{"stopped":[{"agent":"host-7","at":"2026-08-21T12:00:00Z"}]}`).expect(200, `"recorded":1`)
	s.ask("GET", "/v1/agents/host-7", "").expect(200, `"state":"lost"`, `"stopped_at":"2026-08-21T12:00:00Z"`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "", "Herald-Agent: host-7").expect(200)
	if a := s.ask("GET", "/v1/agents/host-7", "").expect(200, `"state":"online"`); strings.Contains(a.Body.String(), "stopped_at") {
		t.Errorf("it is back: %s", a.Body)
	}
}
