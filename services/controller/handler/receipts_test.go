package handler_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/telemetry"
)

// same expects that a request is answered again as it was the first time.
func (s *site) same(method, path, body string, headers ...string) answer {
	s.t.Helper()
	headers = append(headers, "Idempotency-Key: k-1")
	first := s.ask(method, path, body, headers...)
	if first.Header().Get("Idempotency-Replayed") != "" {
		s.t.Errorf("%s %s was answered before", method, path)
	}
	again := s.ask(method, path, body, headers...)
	if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
		s.t.Errorf("%s %s: %d %s, then %d %s %v", method, path, first.Code, first.Body, again.Code, again.Body, again.Header())
	}
	for _, field := range []string{"Etag", "Herald-Revision", "Herald-Epoch", "Content-Type", "Cache-Control"} {
		if first.Header().Get(field) != again.Header().Get(field) {
			s.t.Errorf("%s %s: %s was %q, then %q", method, path, field, first.Header().Get(field), again.Header().Get(field))
		}
	}
	return first
}

func TestIdempotency(t *testing.T) {
	s := newSite(t)
	at := "/v1/namespaces/payments"
	s.same("PUT", at+"/configs/limits", `1`, "If-None-Match: *").expect(201, `"revision":1`)
	s.put("payments/configs/limits", `2`)
	s.ask("PUT", at+"/configs/limits", `1`, "If-None-Match: *", "Idempotency-Key: k-1").expect(201, `"revision":1`) // and not 1 over 2
	s.ask("GET", at+"/configs/limits", "").expect(200, "2")
	s.same("POST", at+"/commits", `{"changes":[{"op":"put","name":"motd","text":"hi"}]}`).expect(201, `"revision":3`)
	s.same("POST", at+"/rollback", `{"to":2}`).expect(201, `"revision":4`)
	s.same("POST", at+"/revert", `{"revision":4}`).expect(201, `"revision":5`)
	s.same("DELETE", at+"/configs/limits", "").expect(200, `"revision":6`)
	s.same("PATCH", at, `{"guards":{"configs":9}}`).expect(200, `"configs":9`)
	s.same("PUT", at+"/configs/motd", "hi", "Content-Type: text/plain").expect(200, `"changed":false`)
	s.same("PUT", at+"/configs/bad", `{`).problem(400, "invalid_json")
	s.same("PUT", at+"/configs/absent", `1`, `If-Match: "x"`).problem(412, "precondition_failed")
	s.ask("GET", at+"/revisions?limit=1", "").expect(200, `"revision":6`)
}

func TestIdempotencyMismatch(t *testing.T) {
	s := newSite(t)
	path := "/v1/namespaces/payments/configs/limits"
	key := "Idempotency-Key: k-1"
	s.ask("PUT", path, `1`, key).expect(201)
	s.ask("PUT", path, `2`, key).problem(409, "idempotency_mismatch", "new key")
	s.ask("PUT", path+"?force=true", `1`, key).problem(409, "idempotency_mismatch")
	s.ask("PUT", path, `1`, key, "If-Match: *").problem(409, "idempotency_mismatch")
	s.ask("PUT", path, `2`, "Idempotency-Key: k-2").expect(200, `"revision":2`)
	s.ask("PUT", "/v1/namespaces/payments/configs/other", `2`, key).expect(201, `"revision":3`)
	s.ask("DELETE", "/v1/namespaces/payments/configs/other", "", key).expect(200, `"revision":4`)
	s.ask("PUT", path+"?dry_run=true", `9`, "Idempotency-Key: k-3").expect(200, `"dry_run":true`)
	s.ask("PUT", path, `9`, "Idempotency-Key: k-3").expect(200, `"revision":5`)
	for _, bad := range []string{"Idempotency-Key: ", "Idempotency-Key: " + strings.Repeat("k", 256), "Idempotency-Key: \u00fc"} {
		s.ask("PUT", path, `1`, bad).problem(400, "invalid_request", "255")
	}
	s.ask("GET", path, "", "Idempotency-Key: k-1").expect(200, "9")
	s.ask("POST", "/v1/tokens", `{"name":"a","role":"reader"}`, key).problem(400, "invalid_request", "Idempotency-Key")
}

// TestIdempotencyOutlivesARestart: receipts are on disk, with the commit.
func TestIdempotencyOutlivesARestart(t *testing.T) {
	s := newSite(t)
	path, key := "/v1/namespaces/payments/configs/limits", "Idempotency-Key: k-1"
	first := s.ask("PUT", path, `1`, key).expect(201)
	s.put("payments/configs/limits", `2`)
	s.restart()
	again := s.ask("PUT", path, `1`, key).expect(201)
	if again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s %v", again.Body, again.Header())
	}
}

// TestEveryWriteIsDoneOnce: whatever writes, with a key, is answered the same again,
// after a restart too, and done once. A token is no answer that could be kept.
func TestEveryWriteIsDoneOnce(t *testing.T) {
	for _, pattern := range writePatterns() {
		t.Run(pattern, func(t *testing.T) {
			s := newTried(t)
			method, path, body := s.good(pattern)
			switch {
			case strings.HasSuffix(pattern, "/checks"): // which asks, and is told what is so now
				s.ask(method, path, body, as(adminToken), "Idempotency-Key: k-1").expect(200).header(map[string]string{"Idempotency-Replayed": ""})
				s.ask(method, path, body, as(adminToken), "Idempotency-Key: k-1").expect(200).header(map[string]string{"Idempotency-Replayed": ""})
				return
			case pattern == "POST /v1/tokens":
				s.ask(method, path, body, as(adminToken), "Idempotency-Key: k-1").problem(400, "invalid_request", "could not be repeated")
				return
			}
			first := s.same(method, path, body, as(adminToken))
			if first.Code/100 != 2 {
				t.Errorf("%d: %s", first.Code, first.Body)
			}
			done, audit := s.everything(), s.auditHead()
			s.guard(adminToken)
			s.restart()
			again := s.ask(method, path, body, as(adminToken), "Idempotency-Key: k-1")
			if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
				t.Errorf("%d %s, after a restart %d %s", first.Code, first.Body, again.Code, again.Body)
			}
			if s.everything() != done || s.auditHead() != audit {
				t.Error("it was done again")
			}
			s.ask(method, path, body+" ", as(adminToken), "Idempotency-Key: k-1").problem(409, "idempotency_mismatch")
		})
	}
}

// TestRefusedForGoodOrNot: an approval whose base moved on is answered with the same
// diff again, since a proposal never gets a new base; one that a freeze holds is
// tried again.
func TestRefusedForGoodOrNot(t *testing.T) {
	s := newTried(t)
	s.ask("PUT", payments+"/configs/c1", `{"rps":99}`, as(adminToken)).expect(200, `"revision":7`)
	stale := s.same("POST", payments+"/proposals/1/approve", `{}`, s.bob)
	stale.problem(409, "stale_base", `"between":{"namespace":"payments","from":6,"to":7,"changes":[{"name":"c1","op":"changed"`)
	s.ask("PUT", payments+"/configs/c1", `{"rps":98}`, as(adminToken)).expect(200, `"revision":8`)
	s.restart()
	s.ask("POST", payments+"/proposals/1/approve", `{}`, s.bob, "Idempotency-Key: k-1").problem(409, "stale_base", `"to":7`)
	s.ask("POST", payments+"/proposals/1/approve", `{}`, s.bob, "Idempotency-Key: k-2").problem(409, "stale_base", `"to":8`)
	s.decide(1, "reject", s.bob).expect(200)

	s.ask("PUT", payments+"/configs/c2", `{"rps":5}`, s.alice).expect(202, `"proposal":2`)
	s.freeze()
	s.ask("POST", payments+"/proposals/2/approve", `{}`, s.bob, "Idempotency-Key: k-1").problem(409, "frozen")
	s.ask("PATCH", payments, `{"frozen_until":null}`, as(adminToken)).expect(200)
	s.ask("POST", payments+"/proposals/2/approve", `{}`, s.bob, "Idempotency-Key: k-1").expect(201, `"revision":9`).header(map[string]string{"Idempotency-Replayed": ""})
}

// TestConcurrentDoubles: one of them is done, and all are answered alike.
func TestConcurrentDoubles(t *testing.T) {
	s := newSite(t)
	var group sync.WaitGroup
	answers := make([]answer, 16)
	for i := range answers {
		group.Go(func() {
			answers[i] = s.ask("POST", "/v1/namespaces/payments/commits", `{"base_revision":0,"changes":[{"op":"put","name":"limits","value":1}]}`, "Idempotency-Key: k-1")
		})
	}
	group.Wait()
	replayed := 0
	for _, a := range answers {
		a.expect(201, `"revision":1`)
		if a.Header().Get("Idempotency-Replayed") == "true" {
			replayed++
		}
	}
	if replayed != len(answers)-1 {
		t.Errorf("%d of %d were replayed", replayed, len(answers))
	}
}

// TestFrozenIsNotForGood: what ends by itself is no answer to give again.
func TestFrozenIsNotForGood(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `1`)
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	s.ask("PATCH", "/v1/namespaces/payments", fmt.Sprintf(`{"frozen_until":%q}`, until)).expect(200)
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `2`, "Idempotency-Key: k").problem(409, "frozen")
	s.ask("PATCH", "/v1/namespaces/payments", `{"frozen_until":null}`).expect(200)
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `2`, "Idempotency-Key: k").expect(200, `"revision":2`)
}

// restart serves the same store anew, with nothing in memory.
func (s *site) restart() {
	s.t.Helper()
	s.parts.Receipts = usecase.NewReceipts(s.store)
	s.handler = handler.New(s.parts)
	s.routes = s.handler.Routes(telemetry.NewRegistry())
}
