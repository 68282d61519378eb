package handler_test

import (
	"slices"

	"github.com/heraldconf/herald/services/controller/handler"

	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

const payments = "/v1/namespaces/payments"

// A reviewed site has a protected namespace with c0 to c3, and two publishers.
type reviewed struct {
	*site
	alice, bob string
}

func newReviewed(t *testing.T) reviewed {
	t.Helper()
	s := newGuardedSite(t)
	for i := range 4 {
		s.ask("PUT", fmt.Sprintf("%s/configs/c%d", payments, i), `{"rps":50}`, as(adminToken)).expect(201)
	}
	s.ask("PATCH", payments, `{"protected":true}`, as(adminToken)).expect(200, `"protected":true`)
	_, alice := s.token("alice", "publisher", "payments")
	_, bob := s.token("bob", "publisher", "payments")
	return reviewed{s, as(alice), as(bob)}
}

// decide approves or rejects a proposal.
func (s reviewed) decide(id int, verb string, headers ...string) answer {
	s.t.Helper()
	return s.ask("POST", fmt.Sprintf("%s/proposals/%d/%s", payments, id, verb), "", headers...)
}

// stands expects the newest revision of the namespace to be that one.
func (s reviewed) stands(revision int) {
	s.t.Helper()
	s.ask("GET", payments+"/snapshot", "", s.bob).expect(200).header(map[string]string{"Herald-Revision": fmt.Sprint(revision)})
}

func TestEveryWriteToAProtectedNamespaceWaits(t *testing.T) {
	s := newReviewed(t)
	writes := []struct{ method, path, body, op string }{
		{"PUT", "/configs/c0", `{"rps":60}`, "put"},
		{"PUT", "/configs/new", `{"rps":60}`, "put"},
		{"DELETE", "/configs/c1", "", "delete"},
		{"POST", "/commits", `{"changes":[{"op":"put","name":"c2","value":1}]}`, "put"},
		{"POST", "/proposals", `{"changes":[{"op":"put","name":"c2","value":1}]}`, "put"},
		{"POST", "/rollback", `{"to":3}`, "delete"},
		{"POST", "/revert", `{"revision":4}`, "delete"},
		{"PUT", "/schemas/c0", `{"type":"object"}`, "put_schema"},
	}
	for i, w := range writes {
		at := fmt.Sprintf("%s/proposals/%d", payments, i+1)
		s.ask(w.method, payments+w.path, w.body, s.alice).
			expect(202, `"revision":4`, `"changed":false`, fmt.Sprintf(`"proposal":%d`, i+1)).
			header(map[string]string{"Location": at, "Herald-Revision": "4", "Etag": ""})
		s.ask("GET", at, "", s.bob).expect(200, `"state":"open"`, `"author":"alice"`, `"base_revision":4`, `"op":"`+w.op+`"`, `"diff":{"namespace":"payments","to":4`)
	}
	s.stands(4)
	s.ask("GET", payments+"/schemas/c0", "", s.bob).problem(404, "not_found")
	s.ask("PUT", payments+"/configs/c0", `{"rps":50}`, s.alice).expect(200, `"changed":false`) // which changes nothing, and needs nobody
	s.ask("GET", payments+"/proposals?state=open&limit=3", "", s.bob).expect(200, `"id":8`, `"id":6`, `"next":"/v1/namespaces/payments/proposals?before=6&limit=3&state=open"`)
	s.ask("GET", payments+"/proposals?state=approved", "", s.bob).expect(200, `{"proposals":[]}`)
	s.ask("PUT", payments+"/configs/c0?dry_run=true", `{"rps":60}`, s.alice).expect(200, `"dry_run":true`, `"waits":true`)
	s.ask("PUT", payments+"/configs/c0", `{"rps":70}`, as(adminToken)).expect(200, `"revision":5`, `"changed":true`)
	s.ask("GET", "/v1/audit?limit=1", "", as(adminToken)).expect(200, "put c0; past the protection of the namespace; hash ")
}

// TestWhateverAPublisherWritesWaits goes through the routes, so that none is
// forgotten, and approves what each of them proposed: a deleted schema is gone then.
func TestWhateverAPublisherWritesWaits(t *testing.T) {
	for _, pattern := range dryRoutes() {
		if !slices.Contains(handler.Switches(pattern), "force") || strings.HasSuffix(pattern, "/checks") || strings.Contains(pattern, "{proposal}") {
			continue // which change no config, write nothing, or decide
		}
		t.Run(pattern, func(t *testing.T) {
			s := newTried(t)
			method, path, body := s.good(pattern)
			s.ask(method, path, body, s.alice, "Idempotency-Key: k").expect(202, `"changed":false`, `"proposal":2`)
			s.stands(6)
			s.ask("GET", payments+"/schemas/c3", "", s.bob).expect(200, `"integer"`)
			s.decide(2, "approve", s.alice).problem(403, "forbidden")
			s.decide(2, "approve", s.bob).expect(201, `"revision":7`)
			if pattern == "DELETE /v1/namespaces/{ns}/schemas/{name}" {
				s.ask("GET", payments+"/schemas/c3", "", s.bob).problem(404, "not_found")
			}
			s.ask(method, path, body, s.alice, "Idempotency-Key: k").expect(202, `"proposal":2`) // what was asked for is not asked for again
			s.stands(7)
		})
	}
}

// TestProposalsAreCheckedAsCommitsAre: what a commit would be refused for is
// refused, and nothing waits.
func TestProposalsAreCheckedAsCommitsAre(t *testing.T) {
	s := newReviewed(t)
	s.ask("PUT", payments+"/schemas/c1", `{"type":"object"}`, as(adminToken)).expect(201)
	s.ask("PUT", payments+"/configs/c0", `{}`, s.alice).problem(409, "guard_empty")
	s.ask("POST", payments+"/proposals", deletions(3), s.alice).problem(409, "guard_mass_change")
	s.ask("PUT", payments+"/configs/c1", `1`, s.alice).problem(422, "schema_violation")
	s.ask("PUT", payments+"/configs/c0", `1`, s.alice, "If-None-Match: *").problem(412, "precondition_failed")
	s.ask("POST", payments+"/commits", `{"base_revision":1,"changes":[{"op":"delete","name":"c0"}]}`, s.alice).problem(409, "stale_base")
	s.ask("DELETE", payments+"/configs/nobody", "", s.alice).problem(404, "not_found")
	s.ask("POST", payments+"/proposals", `{}`, s.alice).problem(400, "invalid_request")
	s.ask("PUT", payments+"/schemas/c2", `{"type":1}`, s.alice).problem(422, "invalid_schema")
	s.ask("PATCH", payments, `{"frozen_until":"2999-01-01T00:00:00Z"}`, as(adminToken)).problem(400, "invalid_request")
	s.freeze()
	s.ask("PUT", payments+"/configs/c0", `1`, s.alice).problem(409, "frozen")
	s.ask("GET", payments+"/proposals", "", s.bob).expect(200, `{"proposals":[]}`)
}

func TestApproval(t *testing.T) {
	s := newReviewed(t)
	s.ask("PUT", payments+"/configs/c0", `{"rps": 60}`, s.alice, "Herald-Message: for the sale").expect(202)
	s.decide(1, "approve", s.alice).problem(403, "forbidden", "a token of another name")
	_, rotated := s.token("alice", "publisher", "payments")
	s.decide(1, "approve", as(rotated)).problem(403, "forbidden")
	_, elsewhere := s.token("carol", "publisher", "elsewhere")
	s.decide(1, "approve", as(elsewhere)).problem(403, "forbidden")
	_, reader := s.token("dave", "reader", "payments")
	s.decide(1, "approve", as(reader)).problem(403, "forbidden")
	s.ask("GET", payments+"/proposals/1", "", as(reader)).problem(403, "forbidden")
	s.stands(4)
	s.ask("POST", payments+"/proposals/1/approve?dry_run=true", "", s.bob).expect(200, `"dry_run":true`, `"revision":5`)
	s.ask("POST", payments+"/proposals/1/approve", `{"message":"looks good"}`, s.bob).
		expect(201, `{"namespace":"payments","name":"c0","revision":5,"etag":"`, `"changed":true,"proposal":1}`)
	s.ask("GET", payments+"/configs/c0", "", s.bob).expect(200, `{"rps": 60}`)
	s.ask("GET", payments+"/revisions/5", "", s.bob).expect(200, `"author":"alice"`, `"message":"for the sale"`, `"proposal":1,"approved_by":"bob"`)
	s.ask("GET", payments+"/revisions?limit=1", "", s.bob).expect(200, `"author":"alice"`, `"proposal":1,"approved_by":"bob"`)
	s.ask("GET", payments+"/proposals/1", "", s.alice).expect(200, `"state":"approved"`, `"decided_by":"bob"`, `"reason":"looks good"`, `"revision":5`)
	audit := s.ask("GET", "/v1/audit?limit=50", "", as(adminToken)).expect(200,
		`"action":"proposal.create","target":"payments#1","outcome":"done","detail":"put c0; on revision 4; hash `,
		`"action":"proposal.approve","target":"payments#1","outcome":"done","detail":"by alice; made payments@5; because \"looks good\"; hash `,
		`"detail":"put c0; proposal 1, approved by bob; hash `,
		`"action":"POST /v1/namespaces/{ns}/proposals/{proposal}/approve","target":"payments#1","outcome":"forbidden"`).Body.String()
	if made, approved := hashAfter(audit, "on revision 4"), hashAfter(audit, `; because \"looks good\"`); made != approved || strings.Trim(made, "0123456789abcdef") != "" || len(made) != 64 {
		t.Errorf("%s was proposed, %s was approved", made, approved)
	}
	s.decide(1, "approve", s.bob).problem(412, "precondition_failed", "approved already, by bob, as revision 5")
	s.decide(1, "reject", s.bob).problem(412, "precondition_failed")
	s.stands(5)
	for _, id := range []string{"0", "x", "-1"} {
		if w := s.bare("GET", payments+"/proposals/"+id, "", s.bob); w.Code != 400 { // the contract has no such requests
			t.Errorf("%s: %d", id, w.Code)
		}
	}
	s.decide(99, "approve", s.bob).problem(404, "not_found")
}

// hashAfter is the hash in the detail of an audit entry, behind that.
func hashAfter(audit, of string) string {
	_, rest, _ := strings.Cut(audit, of+"; hash ")
	return rest[:min(64, len(rest))]
}

func TestRejectionAndWithdrawal(t *testing.T) {
	s := newReviewed(t)
	s.ask("PUT", payments+"/configs/c0", `1`, s.alice).expect(202)
	s.ask("PUT", payments+"/configs/c1", `1`, s.alice).expect(202)
	s.ask("POST", payments+"/proposals/1/reject?dry_run=true", "", s.bob).expect(200, `"state":"rejected"`)
	s.ask("POST", payments+"/proposals/1/reject", `{"message":"too much"}`, s.bob).expect(200, `"state":"rejected"`, `"decided_by":"bob"`, `"reason":"too much"`)
	s.decide(2, "reject", s.alice).expect(200, `"state":"withdrawn"`)
	s.decide(1, "approve", as(adminToken)).problem(412, "precondition_failed", "rejected already, by bob")
	s.decide(2, "approve", s.bob).problem(412, "precondition_failed", "withdrawn already, by alice")
	s.ask("GET", payments+"/proposals/1", "", s.bob).expect(200, `"value":1`) // it can be proposed anew
	s.ask("POST", payments+"/proposals/1/reject", `{"why":1}`, s.bob).problem(400, "invalid_request")
	s.ask("GET", "/v1/audit", "", as(adminToken)).expect(200, "proposal.reject", "proposal.withdraw")
	s.stands(4)
}

// TestApprovalIsHeldToWhatHoldsNow: the checks are those of the approval's time.
func TestApprovalIsHeldToWhatHoldsNow(t *testing.T) {
	s := newReviewed(t)
	s.ask("PUT", payments+"/configs/c0", `{"rps":"many"}`, s.alice).expect(202)
	s.ask("PUT", payments+"/schemas/c0", `{"properties":{"rps":{"type":"integer"}}}`, as(adminToken)).expect(201)
	s.decide(1, "approve", s.bob).problem(422, "schema_violation", "/rps")

	s.ask("POST", payments+"/proposals", deletions(2), s.alice).expect(202)
	s.ask("PATCH", payments, `{"guards":{"deleted_percent":20}}`, as(adminToken)).expect(200)
	s.decide(2, "approve", s.bob).problem(409, "guard_mass_change")
	s.freeze()
	s.ask("POST", payments+"/proposals/2/approve?force=true", "", s.bob).problem(409, "frozen")
	s.ask("POST", payments+"/proposals/2/approve?force=true", "", as(adminToken)).expect(201) // an admin passes the freeze, force the guard
	s.ask("PATCH", payments, `{"frozen_until":null}`, as(adminToken)).expect(200)

	s.ask("PUT", payments+"/configs/c2?force=true", `{}`, s.alice).expect(202)
	s.ask("GET", payments+"/proposals/3", "", s.bob).expect(200, `"force":true`)
	s.decide(3, "approve", s.bob).expect(201) // it was proposed on purpose
	s.decide(1, "reject", s.alice).expect(200)
}

func (s *site) freeze() {
	s.t.Helper()
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	s.ask("PATCH", payments, `{"frozen_until":"`+until+`"}`, as(adminToken)).expect(200)
}

func TestStaleBase(t *testing.T) {
	s := newReviewed(t)
	put := func(name, body string) { s.ask("PUT", payments+"/configs/"+name, body, as(adminToken)) }
	s.ask("PUT", payments+"/configs/c0", `{"rps":60}`, s.alice).expect(202)
	s.ask("POST", payments+"/commits", `{"base_revision":4,"changes":[{"op":"put","name":"c1","value":1}]}`, s.alice).expect(202)
	put("c3", `{"rps":99}`)
	s.decide(1, "approve", s.bob).expect(201, `"revision":6`) // what it does not touch may move on
	s.decide(2, "approve", s.bob).problem(409, "stale_base", "made at revision 4 of payments, which stands at 6 now",
		`"between":{"namespace":"payments","from":4,"to":6,"changes":[{"name":"c0","op":"changed"`, `{"name":"c3","op":"changed","patch":[{"value":99`)

	s.ask("DELETE", payments+"/configs/c0", "", s.alice).expect(202) // the third
	s.ask("PUT", payments+"/configs/new", `1`, s.alice).expect(202)
	s.ask("PUT", payments+"/schemas/c2", `{"type":"object"}`, s.alice).expect(202)
	put("c0", `{"rps":61}`)
	put("new", `2`)
	s.ask("PUT", payments+"/schemas/c2", `{"type":"object","title":"x"}`, as(adminToken)).expect(201, `"revision":9`)
	s.decide(3, "approve", s.bob).problem(409, "stale_base", `{"path":"/c0","message":"was changed by revision 7"}`,
		`"from":6,"to":9,"changes":[{"name":"c0","op":"changed","patch":[{"value":61,"op":"replace","path":"/rps"}]`)
	s.decide(4, "approve", s.bob).problem(409, "stale_base", `"/new"`, `{"name":"new","op":"added"`)
	s.decide(5, "approve", s.bob).problem(409, "stale_base", `"/c2"`, `"changes":[],"schemas":[{"name":"c2","op":"added"`)
	s.ask("GET", payments+"/proposals?state=open", "", s.bob).expect(200, `"id":3`) // who wants may still look at it
	s.stands(9)
}

func TestWithoutTokensNobodyCouldApprove(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/c0", `1`)
	s.ask("PATCH", payments, `{"protected":true}`, "").problem(400, "invalid_request", "needs tokens")
	s.ask("POST", payments+"/proposals", `{"changes":[{"op":"put","name":"c0","value":2}]}`).problem(403, "forbidden", "there are no tokens")
	s.guard(adminToken)
	s.ask("PATCH", payments, `{"protected":true}`, as(adminToken)).expect(200)
	s.guard("") // the tokens are gone, the protection is not
	s.ask("PUT", payments+"/configs/c0", `2`).problem(403, "forbidden", "end its protection")
	s.ask("PATCH", payments, `{"guards":{"configs":9}}`).expect(200, `"protected":true`)
	s.ask("PATCH", payments, `{"protected":false}`).expect(200)
	s.put("payments/configs/c0", `2`)
}

func TestAnAdminCanPropose(t *testing.T) {
	s := newReviewed(t)
	s.ask("POST", "/v1/namespaces/team-a/proposals", `{"message":"begin","changes":[{"op":"put","name":"a","value":1}]}`, as(adminToken)).expect(202, `"revision":0`, `"proposal":1`)
	s.ask("GET", "/v1/namespaces/team-a/proposals/1", "", as(adminToken)).expect(200, `"op":"added"`, `"to":0`)
	s.ask("POST", "/v1/namespaces/team-a/proposals/1/approve", "", as(adminToken)).problem(403, "forbidden")
	_, carol := s.token("carol", "publisher", "team-*")
	s.ask("POST", "/v1/namespaces/team-a/proposals/1/approve", "", as(carol)).expect(201, `"revision":1`)
	s.ask("GET", "/v1/namespaces/team-b/proposals", "", as(carol)).problem(404, "not_found")
}

func TestProposalsAreIdempotent(t *testing.T) {
	s := newReviewed(t)
	s.same("PUT", payments+"/configs/c0", `1`, s.alice).expect(202, `"proposal":1`)
	s.same("PUT", payments+"/configs/c1", `1`, s.alice).expect(202, `"proposal":2`)
	s.same("POST", payments+"/proposals/1/approve", `{}`, s.bob).expect(201, `"revision":5`)
	s.same("POST", payments+"/proposals/2/reject", `{}`, s.bob).expect(200, `"rejected"`)
	s.restart() // receipts are on disk, with what they are about
	s.guard(adminToken)
	s.ask("POST", payments+"/proposals/1/approve", `{}`, s.bob, "Idempotency-Key: k-1").expect(201, `"revision":5`).header(map[string]string{"Idempotency-Replayed": "true"})
}

// TestTwoApproversMakeOneCommit: whoever comes second is told who was first.
func TestTwoApproversMakeOneCommit(t *testing.T) {
	s := newReviewed(t)
	const proposals, approvers = 8, 6
	tokens := make([]string, approvers)
	for i := range approvers {
		_, token := s.token(fmt.Sprintf("r%d", i), "publisher", "payments")
		tokens[i] = as(token)
	}
	for i := range proposals {
		s.ask("PUT", fmt.Sprintf("%s/configs/p%d", payments, i), `1`, s.alice).expect(202)
	}
	made := make([][approvers]int, proposals)
	var racing sync.WaitGroup
	for p := range proposals {
		for a := range approvers {
			racing.Go(func() {
				made[p][a] = s.bare("POST", fmt.Sprintf("%s/proposals/%d/approve", payments, p+1), "", tokens[a]).Code
			})
		}
	}
	racing.Wait()
	for p, codes := range made {
		count := map[int]int{}
		for _, code := range codes {
			count[code]++
		}
		if count[201] != 1 || count[412] != approvers-1 {
			t.Errorf("proposal %d: %v", p+1, codes)
		}
	}
	s.stands(4 + proposals)
}

func TestOnlySoManyProposalsWait(t *testing.T) {
	s := newReviewed(t)
	for i := range 100 {
		if w := s.bare("PUT", fmt.Sprintf("%s/configs/p%d", payments, i), `1`, s.alice); w.Code != 202 {
			t.Fatal(w.Code, w.Body)
		}
	}
	s.ask("PUT", payments+"/configs/c0", `1`, s.alice).problem(429, "overloaded", "approve, reject or withdraw some").
		header(map[string]string{"Retry-After": ""}) // to wait does not help
	s.decide(1, "approve", s.bob).expect(201)
	s.ask("PUT", payments+"/configs/c0", `1`, s.alice).expect(202, `"proposal":101`)
}
