package handler_test

import (
	"fmt"
	"testing"
)

// What an agent refuses is shown, let through by who may and for that revision
// alone, told to the agent, and gone once it has it.
func TestWhatAnAgentRefuses(t *testing.T) {
	s := newGuardedSite(t)
	_, agent := s.token("host-1", "agent", "payments")
	_, publisher := s.token("alice", "publisher", "payments")
	_, other := s.token("bob", "publisher", "search")
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`, as(adminToken)).expect(201)
	s.ask("POST", "/v1/agents", `{"id":"host-1","namespaces":["payments"]}`, as(agent)).expect(200)
	report := func(revision int, status, at string) {
		t.Helper()
		s.ask("POST", "/v1/agents/host-1/reports", fmt.Sprintf(
			`{"fetched":[{"namespace":"payments","revision":%d,"epoch":"01A","etag":"e1",%s"at":"2026-11-23T12:00:%sZ"}]}`, revision, status, at), as(agent)).expect(200)
	}
	const refused = `"status":"rejected","code":"shrunk","message":"3 of 4",`
	s.ask("POST", "/v1/agents/host-1/accept", `{"namespace":"payments","epoch":"01A","revision":9}`, as(publisher)).problem(404, "not_found")
	report(9, refused, "10")
	s.ask("GET", "/v1/agents/host-1", "", as(publisher)).expect(200, `"rejected":{"payments":{"epoch":"01A","revision":9,`, `"code":"shrunk","message":"3 of 4"`)
	s.ask("GET", "/v1/namespaces/payments/fleet", "", as(publisher)).expect(200, `"agents":[{"id":"host-1","rejected":{"epoch":"01A","revision":9`)
	s.ask("POST", "/v1/agents/host-1/accept", `{"namespace":"payments","epoch":"01A","revision":8}`, as(publisher)).problem(412, "precondition_failed")
	s.ask("POST", "/v1/agents/host-1/accept", `{"namespace":"payments","epoch":"01A","revision":9}`, as(other)).problem(403, "forbidden")
	s.ask("POST", "/v1/agents/host-1/accept", `{"namespace":"payments","epoch":"01A","revision":9}`, as(agent)).problem(403, "forbidden")
	s.ask("POST", "/v1/agents/host-1/accept", `{"namespace":"payments","epoch":"01A","revision":9}`, as(publisher)).expect(200, `"accepted_by":"alice"`)
	s.ask("GET", "/v1/audit", "", as(adminToken)).expect(200, `"agent.accept"`, `payments@9`)
	register := func() answer {
		return s.ask("POST", "/v1/agents", `{"id":"host-1","namespaces":["payments"]}`, as(agent))
	}
	register().expect(200, `"accepted":[{"namespace":"payments","epoch":"01A","revision":9,"etag":"e1"}]`)
	s.ask("POST", "/v1/agents/host-1/reports", `{"seen":[{"agent":"host-1"}]}`, as(agent)). // as a relay asks
												expect(200, `"agents":{"host-1":{`, `"accepted":[{"namespace":"payments","epoch":"01A","revision":9,"etag":"e1"}]`)
	report(10, refused, "20") // another one: nobody has accepted that
	if body := register().expect(200).Body.String(); body != register().expect(200, `"namespaces":["payments"]}`).Body.String() {
		t.Error(body)
	}
	report(1, `"status":"rejected","code":"older",`, "30")
	s.ask("POST", "/v1/agents/host-1/accept", `{"namespace":"payments","epoch":"01A","revision":1}`, as(publisher)).problem(412, "precondition_failed", "older")
	s.ask("POST", "/v1/agents/host-1/reports", `{"seen":[{"agent":"host-1"}]}`, as(agent)).expect(200, `{"recorded":0,"refused":0}`)
	report(1, "", "40") // upstream has again what the agent has
	s.ask("GET", "/v1/namespaces/payments/fleet", "", as(publisher)).expect(200, `"agents":[]`)
}
