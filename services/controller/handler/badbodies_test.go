package handler_test

import (
	"strings"
	"testing"
)

// refused expects a problem that says what is wrong with the request, whatever it is.
func (a answer) refused(what string) {
	a.t.Helper()
	problem := decode[struct {
		Status       int
		Code, Detail string
	}](a)
	if a.Code/100 != 4 || a.Header().Get("Content-Type") != "application/problem+json" ||
		problem.Status != a.Code || codes[problem.Code] != a.Code || problem.Detail == "" {
		a.t.Errorf("%s: %d %.300s", what, a.Code, a.Body)
	}
}

// readsObject reports whether the body of a write is a JSON object of ours, and not
// somebody's document or nothing.
func readsObject(pattern string) bool {
	return strings.HasPrefix(pattern, "POST ") && !strings.HasSuffix(pattern, "/checks") || strings.HasPrefix(pattern, "PATCH ")
}

// TestBadBodies sends what is no answer to any question to every write that reads an
// object. Each is refused, and nothing is changed.
func TestBadBodies(t *testing.T) {
	s := newTried(t)
	before := s.everything()
	bodies := map[string]string{
		"null": `null`, "an array": `[]`, "a string": `"x"`, "a number": `-1e999`, "true": `true`, "half an object": `{`, "two objects": `{}{}`,
		"a member nobody knows": `{"unknown":1}`, "a member of no name": `{"":1}`, "a doubled member": `{"message":"a","message":"b"}`,
		"another case": `{"MESSAGE":"a","To":1,"Namespace":"payments","Name":"a","Role":"reader","ID":"a"}`,
		"deep":         `{"changes":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"half a pair":  `{"message":"\ud800"}`,
		"no UTF-8":     "{\"message\":\"\xff\"}", "a mark before it": "\uFEFF{}", "NaN": `{"to":NaN}`, "a comment": `{}//`,
		"white space alone": " \n", "XML": `<a/>`, "YAML": "message: a\n", "a form": "message=a", "zeros": "\x00\x00",
		"too large": `{"message":"` + strings.Repeat("x", 24<<20) + `"}`,
	}
	for _, pattern := range writePatterns() {
		if !readsObject(pattern) {
			continue
		}
		method, path, _ := s.good(pattern)
		for what, body := range bodies {
			answer{s.bare(method, path, body, as(adminToken)), t}.refused(pattern + " with " + what)
		}
	}
	if after := s.everything(); after != before {
		t.Errorf("something was written: %s\nwas: %s", after, before)
	}
}

// TestBadMembers sends the wrong value in each member, and what a number, a name, a
// time or an ETag must not be.
func TestBadMembers(t *testing.T) {
	s := newTried(t)
	before := s.everything()
	change := func(members string) string { return `{"changes":[{` + members + `}]}` }
	for _, c := range []struct {
		method, path string
		code         string
		bodies       []string
	}{
		{"POST", payments + "/commits", "invalid_request", []string{
			`{"changes":null}`, `{"changes":{}}`, `{"changes":[1]}`, `{"changes":[[]]}`, change(`"op":null,"name":"a","value":1`),
			change(`"op":"PUT","name":"a","value":1`), change(`"op":"put_schema","name":"a","value":{}`), change(`"op":"put","name":"a","text":null`),
			change(`"op":"put","name":1,"value":1`), change(`"op":"put","name":"a","text":1`), change(`"op":"put","name":"a","base64":"AA=A"`),
			change(`"op":"put","name":"a","value":{"x":1,"x":2}`), change(`"op":"put","name":"a","value":1,"force":true`),
			`{"base_revision":1.5,"changes":[]}`, `{"base_revision":1e2,"changes":[]}`, `{"base_revision":"6","changes":[]}`, `{"base_revision":9223372036854775808,"changes":[]}`,
			change(`"op":"put","name":"a","text":"\ud800"`), change(`"op":"put","name":"a","text":"\\\udc00\ud800"`), change(`"op":"put","name":"a","text":"\ud83d\ud83d"`),
			`{"message":"\uDFFF","changes":[{"op":"delete","name":"c0"}]}`, `{"message":1,"changes":[]}`, `{"message":"\u0007","changes":[{"op":"delete","name":"c0"}]}`,
		}},
		{"POST", payments + "/commits", "stale_base", []string{
			`{"base_revision":-1,"changes":[{"op":"delete","name":"c0"}]}`, `{"base_revision":9223372036854775807,"changes":[{"op":"delete","name":"c0"}]}`,
		}},
		{"POST", payments + "/commits", "invalid_name", []string{`{"changes":[null]}`, change(`"op":"put","name":null,"value":1`), change(`"op":"delete","name":"../c0"`), change(`"op":"put","name":"a\u0000","value":1`)}},
		{"POST", payments + "/rollback", "invalid_request", []string{
			`{}`, `{"to":0}`, `{"to":-1}`, `{"to":null}`, `{"to":1.5}`, `{"to":1e0}`, `{"to":"1"}`, `{"to":9223372036854775808}`, `{"to":[1]}`, `{"to":1,"name":1}`, `{"to":4,"message":"\u0000"}`,
		}},
		{"POST", payments + "/rollback", "not_found", []string{`{"to":99}`, `{"to":9223372036854775807}`, `{"to":4,"name":"nobody"}`}},
		{"POST", payments + "/rollback", "invalid_name", []string{`{"to":4,"name":"../c0"}`, `{"to":4,"name":"C0"}`}},
		{"POST", payments + "/revert", "invalid_request", []string{`{}`, `{"revision":0}`, `{"revision":-1}`, `{"revision":"1"}`, `{"revision":1e3}`, `{"revision":1,"name":"c0"}`}},
		{"POST", payments + "/revert", "not_found", []string{`{"revision":99}`}},
		{"PATCH", payments, "invalid_request", []string{
			`{"protected":1}`, `{"guards":[]}`, `{"guards":{"configs":0}}`, `{"guards":{"configs":1.5}}`, `{"guards":{"deleted_percent":101}}`, `{"guards":{"kept_percent":-1}}`,
			`{"guards":{"Empty":true}}`, `{"retention":{"keep_revisions":-1}}`, `{"retention":{"keep_days":1e400}}`, `{"reason":"alone"}`,
			`{"frozen_until":"x"}`, `{"frozen_until":1}`, `{"frozen_until":{}}`, `{"frozen_until":"9999-12-31T23:59:59Z"}`, `{"frozen_until":null,"reason":"x"}`,
			`{"frozen_until":"2020-01-01T00:00:00Z"}`, `{"frozen_until":"2099-13-01T00:00:00Z"}`, `{"reason":"` + strings.Repeat("x", 2000) + `"}`,
		}},
		{"POST", payments + "/compact", "invalid_request", []string{`{}`, `{"keep_revisions":0}`, `{"keep_revisions":-1}`, `{"keep_days":1e9}`, `{"dry_run":1}`}},
		{"POST", payments + "/proposals/1/approve", "invalid_request", []string{`{"message":1}`, `{"message":"\u0000"}`, `{"message":"` + strings.Repeat("x", 1025) + `"}`}},
		{"POST", payments + "/proposals/1/reject", "invalid_request", []string{`{"message":[]}`, `{"reason":"x"}`, `{"message":"` + strings.Repeat("x", 1025) + `"}`}},
		{"POST", payments + "/proposals/99/approve", "not_found", []string{``, `{}`, `{"message":null}`}},
		{"POST", payments + "/proposals/99/reject", "not_found", []string{``}},
		{"POST", "/v1/signing-keys", "invalid_request", []string{`{"id":"x"}`, `rotate`, `null`}},
		{"POST", "/v1/tokens", "invalid_request", []string{
			`{}`, `{"name":"a"}`, `{"name":"a","role":"root"}`, `{"name":"","role":"reader"}`, `{"name":"a\nb","role":"reader"}`, `{"name":"anonymous","role":"reader"}`,
			`{"name":"a","role":["reader"]}`, `{"name":"a","role":"reader","namespaces":[]}`, `{"name":"a","role":"reader","namespaces":["a*b"]}`, `{"name":"a","role":"reader","namespaces":["Pay"]}`,
			`{"name":"a","role":"reader","namespaces":"pay"}`, `{"name":"a","role":"admin","namespaces":["pay"]}`, `{"name":"a","role":"reader","token":"x"}`,
			`{"name":"a","role":"reader","expires_at":"x"}`, `{"name":"a","role":"reader","expires_at":0}`, `{"name":"a","role":"reader","expires_at":"2020-01-01T00:00:00Z"}`,
		}},
		{"POST", "/v1/agents/host-7/accept", "invalid_request", []string{`{"namespace":1}`, `{"namespace":"payments","revision":1e30}`, `{"namespace":"payments","epoch":1}`}},
		{"POST", "/v1/agents/host-7/accept", "invalid_name", []string{`{}`, `{"namespace":"../x","epoch":"e","revision":1}`}},
		{"POST", "/v1/agents/host-7/accept", "precondition_failed", []string{`{"namespace":"payments","epoch":"e","revision":-1}`, `{"namespace":"payments"}`}},
		{"POST", "/v1/agents/host-7/accept", "not_found", []string{`{"namespace":"search","epoch":"e","revision":1}`}},
		{"POST", "/v1/agents/nobody/accept", "not_found", []string{`{"namespace":"payments","epoch":"e","revision":1}`}},
		{"PUT", payments + "/schemas/c0", "invalid_schema", []string{`null`, `1`, `[]`, `{"type":1}`, `{"$ref":"http://evil/x"}`, `{"$ref":"file:///etc/passwd"}`, `{"$ref":"nobody"}`, `{"pattern":"("}`, `{"maxLength":-1}`}},
		{"PUT", payments + "/schemas/c0", "invalid_json", []string{``, `{`, "\xff", strings.Repeat(`{"a":`, 3000) + "1" + strings.Repeat("}", 3000)}},
		{"DELETE", "/v1/tokens/nobody", "not_found", []string{``}},
	} {
		for _, body := range c.bodies {
			a := answer{s.bare(c.method, c.path, body, as(adminToken)), t}
			if a.refused(c.path + " " + body); decode[struct{ Code string }](a).Code != c.code {
				t.Errorf("%s %s %.100s: not %s but %.300s", c.method, c.path, body, c.code, a.Body)
			}
			if strings.Contains(a.Body.String(), "Position") {
				t.Errorf("%s speaks of Go's types: %s", c.path, a.Body)
			}
		}
	}
	if after := s.everything(); after != before {
		t.Errorf("something was written: %s\nwas: %s", after, before)
	}
}
