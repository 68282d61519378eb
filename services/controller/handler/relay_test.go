package handler_test

import "testing"

// TestARelaySpeaksForThoseBelowIt, and for nobody else.
func TestARelaySpeaksForThoseBelowIt(t *testing.T) {
	s := newGuardedSite(t)
	_, relay := s.token("site-1", "agent")
	_, other := s.token("site-2", "agent")
	_, own := s.token("host-9", "agent")
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`, as(adminToken)).expect(201)
	register := func(id, via, token string) answer {
		return s.ask("POST", "/v1/agents", `{"id":"`+id+`","namespaces":["payments"],"via":"`+via+`"}`, as(token))
	}
	register("relay-1", "", relay).expect(200)
	register("relay-2", "", other).expect(200)
	register("host-8", "relay-1", relay).expect(200)
	register("host-9", "relay-1", relay).expect(200)
	s.ask("GET", "/v1/agents/host-8", "", as(adminToken)).expect(200, `"via":"relay-1"`)
	register("host-8", "relay-2", other).problem(403, "forbidden")
	register("host-8", "../x", relay).problem(400, "invalid_name")
	for _, c := range []struct{ relay, token, counts string }{
		{"relay-1", relay, `"recorded":1,"refused":0`},
		{"relay-2", other, `"recorded":0,"refused":1`},
	} {
		s.ask("POST", "/v1/agents/"+c.relay+"/reports", `{"fetched":[{"agent":"host-8","namespace":"payments","revision":1}]}`, as(c.token)).expect(200, c.counts)
	}
	// One that goes to the controller itself, with a token of its own name, is its own
	// again; with the relay's token it stays below the relay.
	register("host-8", "", relay).expect(200)
	register("host-8", "relay-1", relay).expect(200)
	register("host-9", "", own).expect(200)
	register("host-9", "relay-1", relay).problem(403, "forbidden")
}

func TestSeen(t *testing.T) {
	s := newGuardedSite(t)
	_, relay := s.token("site-1", "agent")
	_, other := s.token("site-2", "agent")
	for _, id := range []string{"relay-1", "host-8", "host-9"} {
		s.ask("POST", "/v1/agents", `{"id":"`+id+`"}`, as(relay)).expect(200)
	}
	s.ask("POST", "/v1/agents", `{"id":"relay-2"}`, as(other)).expect(200)
	s.ask("PATCH", "/v1/agents/host-9", `{"poll_interval_seconds":5,"namespaces":["search"]}`, as(adminToken)).expect(200)
	const seen = `{"seen":[{"agent":"host-8","age_seconds":1},{"agent":"host-9"},{"agent":"host-new"}]}`
	s.ask("POST", "/v1/agents/relay-1/reports", seen, as(relay)).
		expect(200, `"refused":0`, `"unknown":["host-new"]`, `"agents":{"host-9":{"poll_interval_seconds":5,"namespaces":["search"]}}`)
	s.ask("POST", "/v1/agents/relay-2/reports", seen, as(other)).expect(200, `"refused":2`)
	s.ask("POST", "/v1/agents/relay-1/reports", `{"seen":[{"agent":"../x"},{"agent":"host-8","age_seconds":-1}]}`, as(relay)).expect(200, `"refused":2`)
}
