package handler_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/controller/handler"
)

// A tried site is a reviewed one with a schema, a worker that runs on the namespace,
// a proposal that waits, and an agent that refuses what it was offered.
type tried struct {
	reviewed
	spare string // the ID of a token that nobody uses
}

func newTried(t *testing.T) tried {
	t.Helper()
	s := tried{reviewed: newReviewed(t)}
	s.spare, _ = s.token("spare", "reader")
	admin := as(adminToken)
	s.ask("PUT", payments+"/schemas/c3", `{"properties":{"rps":{"type":"integer"}}}`, admin).expect(201, `"revision":5`)
	s.ask("PUT", payments+"/configs/c0", `{"rps":51}`, admin).expect(200, `"revision":6`)
	s.ask("PUT", payments+"/configs/c1", `{"rps":52}`, s.alice).expect(202, `"proposal":1`)
	epoch := s.parts.Epoch
	s.ask("POST", "/v1/agents", `{"id":"host-7","namespaces":["payments"],"labels":{}}`, admin).expect(200)
	s.ask("POST", "/v1/agents/host-7/reports", fmt.Sprintf(
		`{"applied":[{"worker":"w-1","agent":"host-7","namespace":"payments","epoch":%[1]q,"revision":6,"status":"applied"}],`+
			`"fetched":[{"namespace":"payments","epoch":%[1]q,"revision":6,"etag":"e","status":"rejected","code":"shrunk","message":"3 of 4","at":"2026-11-23T12:00:00Z"}]}`, epoch), admin).expect(200, `"recorded":2`)
	return s
}

// good is a request that the route would carry out.
func (s tried) good(pattern string) (method, path, body string) {
	s.t.Helper()
	bodies := map[string]string{
		"PUT /v1/namespaces/{ns}/configs/{name}":                `{"rps":60}`,
		"DELETE /v1/namespaces/{ns}/configs/{name}":             ``,
		"POST /v1/namespaces/{ns}/configs/{name}/checks":        `{"rps":60}`,
		"PUT /v1/namespaces/{ns}/schemas/{name}":                `{"properties":{"rps":{"type":"number"}}}`,
		"DELETE /v1/namespaces/{ns}/schemas/{name}":             ``,
		"POST /v1/namespaces/{ns}/commits":                      `{"changes":[{"op":"put","name":"c3","value":{"rps":60}}]}`,
		"POST /v1/namespaces/{ns}/proposals":                    `{"changes":[{"op":"put","name":"c3","value":{"rps":60}}]}`,
		"POST /v1/namespaces/{ns}/proposals/{proposal}/approve": `{"message":"fine"}`,
		"POST /v1/namespaces/{ns}/proposals/{proposal}/reject":  `{"message":"no"}`,
		"POST /v1/namespaces/{ns}/rollback":                     `{"to":4}`,
		"POST /v1/namespaces/{ns}/revert":                       `{"revision":6}`,
		"PATCH /v1/namespaces/{ns}":                             `{"guards":{"configs":9}}`,
		"POST /v1/namespaces/{ns}/compact":                      `{"keep_revisions":1}`,
		"POST /v1/agents":                                       `{"id":"host-8"}`,
		"PATCH /v1/agents/{id}":                                 `{"poll_interval_seconds":5}`,
		"POST /v1/agents/{id}/accept":                           fmt.Sprintf(`{"namespace":"payments","epoch":%q,"revision":6}`, s.parts.Epoch),
		"POST /v1/agents/{id}/reports":                          `{}`,
		"POST /v1/tokens":                                       `{"name":"new","role":"reader"}`,
		"DELETE /v1/tokens/{id}":                                ``,
		"POST /v1/signing-keys":                                 ``,
	}
	body, ok := bodies[pattern]
	if !ok {
		s.t.Fatalf("%s: nobody knows a request that it takes", pattern)
	}
	method, path, _ = strings.Cut(pattern, " ")
	id := "host-7"
	if strings.Contains(path, "/tokens/") {
		id = s.spare
	}
	for name, value := range map[string]string{"{ns}": "payments", "{name}": "c3", "{id}": id, "{proposal}": "1"} {
		path = strings.ReplaceAll(path, name, value)
	}
	return method, path, body
}

var passing = regexp.MustCompile(`"(last_used_at|last_seen)":(null|"[^"]*")`)

// everything is all that writes could have changed, but for the audit.
func (s tried) everything() string {
	s.t.Helper()
	var all []string
	for _, path := range []string{
		"/v1/namespaces", payments, payments + "/snapshot", payments + "/revisions", payments + "/schemas", payments + "/schemas/c3",
		payments + "/proposals", payments + "/proposals/1", payments + "/fleet", payments + "/configs/c0?revision=1",
		"/v1/agents", "/v1/tokens", "/v1/signing-keys",
	} {
		all = append(all, passing.ReplaceAllString(s.ask("GET", path, "", as(adminToken)).Body.String(), ""))
	}
	return strings.Join(all, "\n")
}

// auditHead is how far the audit is.
func (s tried) auditHead() string {
	s.t.Helper()
	_, head, _ := strings.Cut(s.ask("GET", "/v1/audit?limit=1", "", as(adminToken)).expect(200).Body.String(), `"head":`)
	return head
}

// dryRoutes are the routes that can be tried.
func dryRoutes() []string {
	return slices.DeleteFunc(writePatterns(), func(pattern string) bool { return !slices.Contains(handler.Switches(pattern), "dry_run") })
}

// TestDryRunOfEveryWrite: it says what would change and who runs on that, and
// writes nothing; done for real it is what was said.
func TestDryRunOfEveryWrite(t *testing.T) {
	const worker = `"workers":[{"id":"w-1","agent":"host-7","revision":6}]`
	change := func(name, op string) []string {
		return []string{`"dry_run":true`, `"changed":true`, `"revision":7`, `"changes":[{"name":"` + name + `","op":"` + op + `"`, worker}
	}
	schema := []string{`"dry_run":true`, `"changed":true`, `"revision":7`, `"changes":[]`, `"schemas":[{"name":"c3"`, `"workers":[]`}
	says := map[string][]string{
		"PUT /v1/namespaces/{ns}/configs/{name}":                change("c3", "changed"),
		"DELETE /v1/namespaces/{ns}/configs/{name}":             change("c3", "removed"),
		"POST /v1/namespaces/{ns}/configs/{name}/checks":        change("c3", "changed"),
		"PUT /v1/namespaces/{ns}/schemas/{name}":                schema,
		"DELETE /v1/namespaces/{ns}/schemas/{name}":             schema,
		"POST /v1/namespaces/{ns}/commits":                      change("c3", "changed"),
		"POST /v1/namespaces/{ns}/proposals":                    append(change("c3", "changed"), `"waits":true`),
		"POST /v1/namespaces/{ns}/proposals/{proposal}/approve": change("c1", "changed"),
		"POST /v1/namespaces/{ns}/proposals/{proposal}/reject":  {`"id":1`, `"state":"rejected"`, `"reason":"no"`},
		"POST /v1/namespaces/{ns}/rollback":                     change("c0", "changed"),
		"POST /v1/namespaces/{ns}/revert":                       change("c0", "changed"),
		"POST /v1/namespaces/{ns}/compact":                      {`"dry_run":true`, `"dropped":[{"revision":1,"op":"put","name":"c0"`},
		"PATCH /v1/namespaces/{ns}":                             {`"dry_run":true`, `"configs":9`},
		"PATCH /v1/agents/{id}":                                 {`"dry_run":true`, `"id":"host-7"`, `"poll_interval_seconds":5`},
		"POST /v1/agents/{id}/accept":                           {`"dry_run":true`, `"id":"host-7"`, `"poll_interval_seconds":15`},
		"POST /v1/tokens":                                       {`{"dry_run":true,"name":"new","role":"reader"`},
		"DELETE /v1/tokens/{id}":                                {`"dry_run":true`, `"name":"spare"`, `"revoked_at":"`},
		"POST /v1/signing-keys":                                 {`{"dry_run":true,"keys":[{"id":"`},
	}
	for _, pattern := range dryRoutes() {
		t.Run(pattern, func(t *testing.T) {
			want, ok := says[pattern]
			if !ok {
				t.Fatal("nobody knows what its dry run says")
			}
			s := newTried(t)
			method, path, body := s.good(pattern)
			before, audit := s.everything(), s.auditHead()
			header := []string{as(adminToken), "Idempotency-Key: k"}
			if pattern == "POST /v1/tokens" { // whose secret no receipt may hold
				header = header[:1]
			}
			s.ask(method, path+"?dry_run=true", body, header...).expect(200, want...)
			if s.everything() != before || s.auditHead() != audit {
				t.Errorf("it wrote: %s\nwas: %s", s.everything(), before)
			}
			if strings.HasSuffix(path, "/checks") {
				return
			}
			done := s.ask(method, path, body, header...)
			if done.Code/100 != 2 || done.Header().Get("Idempotency-Replayed") != "" || s.everything() == before || s.auditHead() == audit {
				t.Errorf("for real it was %d: %s", done.Code, done.Body)
			}
		})
	}
}

// TestDryRunOfOneConfigsRollback: a name more than of the whole namespace.
func TestDryRunOfOneConfigsRollback(t *testing.T) {
	s := newTried(t)
	before, audit := s.everything(), s.auditHead()
	s.ask("POST", payments+"/rollback?dry_run=true", `{"to":4,"name":"c0"}`, as(adminToken)).
		expect(200, `"dry_run":true`, `"name":"c0"`, `"revision":7`, `"changes":[{"name":"c0","op":"changed"`, `"workers":[{"id":"w-1"`)
	s.ask("POST", payments+"/rollback?dry_run=true", `{"to":1,"name":"c3"}`, as(adminToken)).expect(200, `"changes":[{"name":"c3","op":"removed"`)
	s.ask("POST", payments+"/rollback?dry_run=true", `{"to":1}`, as(adminToken)).problem(409, "guard_mass_change", "/c1", "/c2", "/c3")
	if s.everything() != before || s.auditHead() != audit {
		t.Error("it wrote")
	}
}

// TestDryRunRefusesAsTheWriteDoes: in the same words, and unseen by the audit, which
// is told of who may not even ask.
func TestDryRunRefusesAsTheWriteDoes(t *testing.T) {
	s := newTried(t)
	refused := map[string]struct{ path, body, code string }{
		"PUT /v1/namespaces/{ns}/configs/{name}":                {"/configs/c3", `{"rps":"x"}`, "schema_violation"},
		"DELETE /v1/namespaces/{ns}/configs/{name}":             {"/configs/nobody", ``, "not_found"},
		"POST /v1/namespaces/{ns}/configs/{name}/checks":        {"/configs/c3/checks", `{}`, "guard_empty"},
		"PUT /v1/namespaces/{ns}/schemas/{name}":                {"/schemas/c3", `{"type":"array"}`, "schema_violation"},
		"DELETE /v1/namespaces/{ns}/schemas/{name}":             {"/schemas/nobody", ``, "not_found"},
		"POST /v1/namespaces/{ns}/commits":                      {"/commits", deletions(3), "guard_mass_change"},
		"POST /v1/namespaces/{ns}/proposals":                    {"/proposals", `{"base_revision":1,"changes":[{"op":"delete","name":"c0"}]}`, "stale_base"},
		"POST /v1/namespaces/{ns}/proposals/{proposal}/approve": {"/proposals/1/approve", ``, "stale_base"},
		"POST /v1/namespaces/{ns}/proposals/{proposal}/reject":  {"/proposals/2/reject", ``, "precondition_failed"},
		"POST /v1/namespaces/{ns}/rollback":                     {"/rollback", `{"to":1}`, "guard_mass_change"},
		"POST /v1/namespaces/{ns}/revert":                       {"/revert", `{"revision":2}`, "stale_base"},
		"POST /v1/namespaces/{ns}/compact":                      {"/compact", `{}`, "invalid_request"},
		"PATCH /v1/namespaces/{ns}":                             {"", `{"guards":{"configs":0}}`, "invalid_request"},
		"PATCH /v1/agents/{id}":                                 {"/v1/agents/nobody", `{"poll_interval_seconds":5}`, "not_found"},
		"POST /v1/agents/{id}/accept":                           {"/v1/agents/host-7/accept", `{"namespace":"payments","epoch":"other","revision":6}`, "precondition_failed"},
		"POST /v1/tokens":                                       {"/v1/tokens", `{"name":"new","role":"king"}`, "invalid_request"},
		"DELETE /v1/tokens/{id}":                                {"/v1/tokens/nobody", ``, "not_found"},
	}
	admin := as(adminToken)
	s.ask("PUT", payments+"/configs/c2", `{"rps":5}`, s.alice).expect(202, `"proposal":2`)
	s.decide(2, "reject", s.bob).expect(200)
	s.ask("PUT", payments+"/configs/c1", `{"rps":99}`, admin).expect(200)
	_, reader := s.token("reader", "reader", "elsewhere")
	before := s.everything()
	for _, pattern := range dryRoutes() {
		how, ok := refused[pattern]
		if pattern == "POST /v1/signing-keys" {
			continue // what it refuses, a chain that is full, is a test of its usecase
		}
		if !ok {
			t.Fatalf("%s: nobody knows what it refuses", pattern)
		}
		if !strings.HasPrefix(how.path, "/v1/") {
			how.path = payments + how.path
		}
		method, _, _ := strings.Cut(pattern, " ")
		audit := s.auditHead()
		if strings.HasSuffix(how.path, "/checks") {
			s.ask(method, how.path, how.body, admin).problem(codes[how.code], how.code)
		}
		tried := s.ask(method, how.path+"?dry_run=true", how.body, admin)
		tried.problem(codes[how.code], how.code)
		if s.auditHead() != audit {
			t.Errorf("%s: the audit was told of a dry run", pattern)
		}
		s.ask(method, how.path+"?dry_run=true", how.body, as(reader)).problem(403, "forbidden")
		if s.auditHead() == audit {
			t.Errorf("%s: the audit was not told of who may not ask", pattern)
		}
		if strings.HasSuffix(how.path, "/checks") {
			continue
		}
		if done := s.ask(method, how.path, how.body, admin); done.Code != tried.Code || done.Body.String() != tried.Body.String() {
			t.Errorf("%s: the dry run says %s, the write %s", pattern, tried.Body, done.Body)
		}
	}
	if s.everything() != before {
		t.Error("what was refused was written")
	}
}

// TestDryRunSaysWhatWaits: a publisher learns that the write would be a proposal,
// and none is made.
func TestDryRunSaysWhatWaits(t *testing.T) {
	s := newTried(t)
	before, audit := s.everything(), s.auditHead()
	for _, pattern := range dryRoutes() {
		method, path, body := s.good(pattern)
		if !slices.Contains(handler.Switches(pattern), "force") || strings.Contains(path, "/proposals/") {
			continue // these decide what waits, or change no config
		}
		s.ask(method, path+"?dry_run=true", body, s.bob).expect(200, `"dry_run":true`, `"waits":true`)
	}
	if s.everything() != before || s.auditHead() != audit {
		t.Error("it wrote")
	}
}
