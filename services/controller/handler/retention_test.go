package handler_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestCompaction: it says what would go, drops that, and who asks for it is told.
func TestCompaction(t *testing.T) {
	s := newSite(t)
	at := "/v1/namespaces/payments"
	s.ask("POST", at+"/compact", `{"keep_revisions":1}`).problem(404, "not_found")
	for i := range 4 {
		s.put("payments/configs/limits", fmt.Sprintf(`{"rps":%d}`, i))
	}
	s.put("payments/configs/motd", `"hello"`)
	s.ask("POST", at+"/compact", `{}`).problem(400, "invalid_request", "keeps everything")
	for _, body := range []string{`{"keep_days":-1}`, `{"keep_revisions":-1}`, `{"keep_days":99999999}`, `{"keep":1}`} {
		s.ask("POST", at+"/compact", body).problem(400, "invalid_request")
	}
	would := `"kept_from":4,"documents":3,"bytes":27,"dropped":[{"revision":1,"op":"put","name":"limits","size":9},`
	s.ask("POST", at+"/compact", `{"keep_revisions":2,"dry_run":true}`).expect(200, `"dry_run":true`, would)
	s.ask("POST", at+"/compact?dry_run=true", `{"keep_revisions":2}`).expect(200, `"dry_run":true`, would)
	s.ask("GET", at+"/revisions/1", "").expect(200)
	s.ask("POST", at+"/compact", `{"keep_revisions":2,"keep_days":1}`).expect(200, `"documents":0`, `"dropped":[]`)
	s.ask("POST", at+"/compact", `{"keep_revisions":2}`, "Idempotency-Key: k").expect(200, `"dry_run":false`, would)
	s.ask("POST", at+"/compact", `{"keep_revisions":2}`, "Idempotency-Key: k").expect(200, would)
	said := "it was compacted: the document of payments/limits of revision 1; when and by whom is in the audit, as namespace.compact"
	for _, path := range []string{"/revisions/1", "/configs/limits?revision=1", "/diff?from=1&to=4", "/diff?from=1"} {
		s.ask("GET", at+path, "").problem(404, "not_found", said)
	}
	s.ask("POST", at+"/rollback", `{"to":1}`).problem(404, "not_found", said)
	s.ask("POST", at+"/revert", `{"revision":2}`).problem(404, "not_found", said)
	s.ask("GET", at+"/revisions/1?compacted=true", "").expect(200, `"mediaType":"application/json","compacted":true,"sha256":"`)
	s.ask("GET", at+"/revisions/1?compacted=maybe", "").problem(400, "invalid_request")
	s.ask("GET", at+"/revisions/4", "").expect(200, `"value":{"rps":3}`)
	s.ask("GET", at+"/revisions", "").expect(200, `"revision":1,`)
	s.ask("POST", at+"/rollback", `{"to":4}`).expect(201)
	s.ask("GET", "/v1/audit", "").expect(200, `"action":"namespace.compact","target":"payments@3"`)
	s.ask("GET", "/metrics", "").expect(200, "herald_controller_compacted_documents_total 3", "herald_controller_compacted_bytes_total 27")
}

// TestRetentionIsSet: what is set for a namespace is what a compaction keeps.
func TestRetentionIsSet(t *testing.T) {
	s := newSite(t)
	at := "/v1/namespaces/payments"
	for i := range 4 {
		s.put("payments/configs/limits", fmt.Sprintf(`{"rps":%d}`, i))
	}
	if a := s.ask("GET", at, "").expect(200); strings.Contains(a.Body.String(), "retention") {
		t.Errorf("everything is kept, and more is said: %s", a.Body)
	}
	s.ask("PATCH", at, `{"retention":{"keep_days":-1}}`).problem(400, "invalid_request", "keep_days")
	s.ask("PATCH", at, `{"retention":{"keep_revisions":3}}`).expect(200, `"retention":{"keep_revisions":3,"keep_days":0}`)
	s.ask("PATCH", at, `{"guards":{"empty":false}}`).expect(200, `"retention":{"keep_revisions":3,"keep_days":0}`)
	s.ask("POST", at+"/compact", `{}`).expect(200, `"keep_revisions":3`, `"documents":1`)
	s.ask("GET", "/v1/audit", "").expect(200, "kept for 3 revisions and 0 days")
}
