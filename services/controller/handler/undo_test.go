package handler_test

import (
	"strings"
	"testing"
)

// history makes four revisions of payments: limits 1, 2; motd; limits deleted.
func (s *site) history() {
	s.t.Helper()
	s.put("payments/configs/limits", `{"rps":1}`)
	s.put("payments/configs/limits", `{"rps":2}`)
	s.ask("PUT", "/v1/namespaces/payments/configs/motd", "hello\n", "Content-Type: text/plain").expect(201)
	s.ask("DELETE", "/v1/namespaces/payments/configs/limits", "").expect(200)
}

func TestDiff(t *testing.T) {
	s := newSite(t)
	s.ask("GET", "/v1/namespaces/payments/diff", "").problem(404, "not_found")
	s.history()
	path := "/v1/namespaces/payments/diff"
	s.ask("GET", path, "").expect(200, `{"namespace":"payments","from":3,"to":4,"changes":[{"name":"limits","op":"removed","text":"--- limits\n+++ /dev/null\n`)
	s.ask("GET", path+"?from=1&to=2", "").expect(200, `"op":"changed"`, `"patch":[{"value":2,"op":"replace","path":"/rps"}]`, `-{\"rps\":1}`, `+{\"rps\":2}`)
	s.ask("GET", path+"?from=2&to=1", "").expect(200, `"patch":[{"value":1,`)
	s.ask("GET", path+"?to=1", "").expect(200, `"from":0,"to":1`, `"op":"added"`)
	s.ask("GET", path+"?from=0", "").expect(200, `"from":0,"to":4,"changes":[{"name":"motd","op":"added","text":"--- /dev/null\n+++ motd\n@@ -0,0 +1 @@\n+hello\n"}]`)
	s.ask("GET", path+"?from=4&to=4", "").expect(200, `"changes":[]`)
	s.ask("GET", path+"?to=5", "").problem(404, "not_found", "revision 5")
	s.ask("GET", path+"?to=-1", "").problem(400, "invalid_request")
	s.ask("GET", path+"?from=x", "").problem(400, "invalid_request")
	s.ask("GET", "/v1/namespaces/Payments/diff", "").problem(400, "invalid_name")
}

func TestRollback(t *testing.T) {
	s := newSite(t)
	s.history()
	path := "/v1/namespaces/payments/rollback"
	s.ask("POST", path, `{"to":2}`).expect(201, `{"namespace":"payments","revision":5,"changed":true}`).header(map[string]string{"Herald-Revision": "5"})
	s.ask("GET", "/v1/namespaces/payments/configs/limits", "").expect(200, `{"rps":2}`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "").expect(200, `"tombstones":{"motd":{"revision":5}}`)
	s.ask("GET", "/v1/namespaces/payments/revisions/5", "").expect(200, `"message":"rollback to revision 2"`)
	s.ask("POST", path, `{"to":2,"message":"once more"}`).expect(200, `"revision":5,"changed":false`)

	s.ask("POST", path, `{"to":1,"name":"limits","message":"only this"}`).expect(201, `"name":"limits","revision":6,"etag":"`)
	s.ask("GET", "/v1/namespaces/payments/configs/limits", "").expect(200, `{"rps":1}`)
	s.ask("POST", path, `{"to":4,"name":"limits"}`).expect(201, `"revision":7`)
	s.ask("POST", path, `{"to":4,"name":"limits"}`).problem(404, "not_found")
	s.ask("POST", path, `{"to":99}`).problem(404, "not_found", "revision 99")
	s.ask("POST", path, `{"to":0}`).problem(400, "invalid_request")
	s.ask("POST", path, `{"to":1,"revision":1}`).problem(400, "invalid_request")
	s.ask("POST", path, `{"to":1,"name":"Limits"}`).problem(400, "invalid_name")
	s.ask("POST", "/v1/namespaces/nobody/rollback", `{"to":1}`).problem(404, "not_found")
	s.ask("POST", path, `{"to":1,"message":"`+strings.Repeat("m", 1025)+`"}`).problem(400, "invalid_request")
}

func TestRevert(t *testing.T) {
	s := newSite(t)
	s.history()
	path := "/v1/namespaces/payments/revert"
	s.ask("POST", path, `{"revision":2}`).problem(409, "stale_base", `"path":"/limits"`, "revision 4")
	s.ask("POST", path, `{"revision":4,"message":"it was needed"}`).expect(201, `"revision":5,"changed":true`)
	s.ask("GET", "/v1/namespaces/payments/configs/limits", "").expect(200, `{"rps":2}`)
	s.ask("POST", path, `{"revision":3}`).expect(201, `"revision":6`)
	s.ask("GET", "/v1/namespaces/payments/configs/motd", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/payments/revisions/6", "").expect(200, `"message":"revert 3"`)
	s.ask("POST", path, `{"revision":7}`).problem(404, "not_found")
	s.ask("POST", path, `{"revision":0}`).problem(400, "invalid_request")
	s.ask("POST", path, `{"to":1}`).problem(400, "invalid_request")
}
