package handler_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/shared/config"
)

// TestBadPaths plays tricks with each part of every write's path.
func TestBadPaths(t *testing.T) {
	s := newTried(t)
	before := s.everything()
	tricks := []string{
		"%2e%2e", "..%2fc0", "c0%2f..%2fc1", "%00", "c0%00", "%ff", "C0", "c0%20", "-c0", "c0%0d%0aX:%20y", strings.Repeat("a", 200), "%E2%80%AE", "*", "c0;x", "c0%3Fdry_run=true",
	}
	parts := map[string][]string{
		"{ns}": tricks, "{name}": tricks, "{id}": slices.DeleteFunc(slices.Clone(tricks), func(trick string) bool { return trick == "C0" }), // of an agent it may be
		"{proposal}": {"0", "-1", "01", "+1", "%2B1", "x", "1.0", "1e0", "%31%2f2", "%00", "99999999999999999999", "0x1", "1%20"},
	}
	for _, pattern := range writePatterns() {
		method, path, body := s.good(pattern)
		template := strings.Split(strings.TrimPrefix(pattern, method+" "), "/")
		for i, part := range template {
			for _, trick := range parts[part] {
				got := strings.Split(path, "/")
				got[i] = trick
				answer{s.bare(method, strings.Join(got, "/"), body, as(adminToken)), t}.refused(pattern + " at " + trick)
			}
		}
	}
	if after := s.everything(); after != before {
		t.Errorf("something was written: %s\nwas: %s", after, before)
	}
}

// TestOtherMethods asks every path for what it does not do.
func TestOtherMethods(t *testing.T) {
	s := newTried(t)
	before := s.everything()
	for _, pattern := range writePatterns() {
		_, path, _ := s.good(pattern)
		_, template, _ := strings.Cut(pattern, " ")
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "MERGE", "put"} {
			if slices.Contains(handler.Patterns(), method+" "+template) || (method == "HEAD" && slices.Contains(handler.Patterns(), "GET "+template)) {
				continue
			}
			w := s.bare(method, path, "", as(adminToken))
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	}
	if s.everything() != before {
		t.Error("something was written")
	}
}

// TestBadConditions: an ETag without its quotes, or half a list, is no condition
// that could be met by chance.
func TestBadConditions(t *testing.T) {
	s := newTried(t)
	before := s.everything()
	etag := string(config.Document{MediaType: "application/json", Body: []byte(`{"rps":51}`)}.ETag())
	for _, path := range []string{"/configs/c0", "/schemas/c0", "/schemas/c3"} {
		for _, value := range []string{etag, `"`, ``, `,`, `"a" "b"`, `"a`, `*, "a"`, `*,*`, `'` + etag + `'`, `"` + strings.Repeat("x", 300) + `"`} {
			for _, field := range []string{"If-Match", "If-None-Match"} {
				for _, method := range []string{"PUT", "DELETE"} {
					a := answer{s.bare(method, payments+path, `{}`, as(adminToken), field+": "+value), t}
					a.problem(400, "invalid_request", field)
				}
			}
		}
	}
	if s.everything() != before {
		t.Error("something was written")
	}
	put := func(value string) answer {
		return s.ask("PUT", payments+"/configs/c0?dry_run=true", `{"rps":52}`, as(adminToken), value)
	}
	put(`If-Match: "x", W/"y",, "` + etag + `"`).expect(200)
	put(`If-Match: W/"`+etag+`"`).problem(412, "precondition_failed")
	put(`If-Match: ""`).problem(412, "precondition_failed")
	put(`If-None-Match: "x", "`+etag+`"`).problem(412, "precondition_failed")
	put(`If-None-Match: W/"x"`).expect(200)
	put(`If-None-Match: W/"`+etag+`"`).problem(412, "precondition_failed")
}

// TestBadKeys: a key that is none, is another's, or is of another route.
func TestBadKeys(t *testing.T) {
	s := newTried(t)
	_, other := s.token("other", "publisher", "payments")
	for _, pattern := range writePatterns() {
		method, path, body := s.good(pattern)
		if strings.HasSuffix(path, "/checks") {
			continue // which writes nothing that could be done twice
		}
		for what, key := range map[string]string{"empty": "", "long": strings.Repeat("k", 256), "no ASCII": "k\u00fc", "a tab": "k\tk"} {
			answer{s.bare(method, path, body, as(adminToken), "Idempotency-Key: "+key), t}.problem(400, "invalid_request")
			if t.Failed() {
				t.Fatalf("%s with a key that is %s", pattern, what)
			}
		}
		answer{s.bare(method, path, body, as(adminToken), "Idempotency-Key: a", "Idempotency-Key: b"), t}.problem(400, "invalid_request")
	}
	key := "Idempotency-Key: shared"
	s.ask("PUT", payments+"/configs/mine", `1`, as(adminToken), key).expect(201, `"revision":7`)
	s.ask("PUT", payments+"/configs/mine", `2`, as(adminToken), key).problem(409, "idempotency_mismatch")
	s.ask("PUT", payments+"/configs/mine", `2`, as(other), key).expect(202, `"proposal":2`)           // its own, and not the admin's answer
	s.ask("DELETE", payments+"/configs/mine", ``, as(adminToken), key).expect(200, `"revision":8`)    // another method
	s.ask("PUT", payments+"/configs/yours", `1`, as(adminToken), key).expect(201, `"revision":9`)     // another path
	s.ask("POST", payments+"/rollback", `{"to":8}`, as(adminToken), key).expect(201, `"revision":10`) // another route
	s.ask("POST", payments+"/rollback", `{"to": 8}`, as(adminToken), key).problem(409, "idempotency_mismatch")
	s.ask("PUT", payments+"/configs/mine", `1`, as(adminToken), key).expect(201, `"revision":7`).header(map[string]string{"Idempotency-Replayed": "true"})
	s.stands(10)
}

// TestBadTokens sends every write as somebody who may not.
func TestBadTokens(t *testing.T) {
	s := newTried(t)
	expiring, gone := s.token("gone", "publisher", "payments")
	s.ask("DELETE", "/v1/tokens/"+expiring, "", as(adminToken)).expect(200)
	_, elsewhere := s.token("elsewhere", "publisher", "other", "pay*", "payments-*")
	before := s.everything()
	for _, pattern := range writePatterns() {
		method, path, body := s.good(pattern)
		for what, header := range map[string]string{
			"none": "X: y", "revoked": as(gone), "made up": as("herald_aaaaaaaaaa_" + strings.Repeat("b", 52)), "another scheme": "Authorization: Basic " + adminToken,
			"no scheme": "Authorization: " + adminToken, "huge": as(strings.Repeat("x", 1<<16)), "odd": as("\x00\xff"), "in the query": "X: z",
		} {
			if what == "in the query" {
				path += "?token=" + adminToken
			}
			answer{s.bare(method, path, body, header), t}.problem(401, "unauthorized")
			if t.Failed() {
				t.Fatalf("%s with a token that is %s", pattern, what)
			}
		}
		method, path, body = s.good(pattern)
		if strings.Contains(pattern, "{ns}") || strings.HasSuffix(pattern, "/accept") {
			answer{s.bare(method, strings.Replace(path, "payments", "secret", 1), strings.Replace(body, "payments", "secret", 1), as(elsewhere)), t}.problem(403, "forbidden")
		}
	}
	if s.everything() != before {
		t.Error("something was written")
	}
}

// TestPagesOfOtherSitesMayOnlyRead: a browser sends them without asking anybody, and
// on loopback there may be no token to miss.
func TestPagesOfOtherSitesMayOnlyRead(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `1`)
	for _, headers := range [][]string{{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: http://evil.example"}} {
		headers = append(headers, "Content-Type: text/plain")
		body := fmt.Sprintf(`{"changes":[{"op":"put","name":"limits","value":%q}]}`, headers[0])
		s.ask("POST", payments+"/commits", body, headers...).problem(403, "forbidden", "another site")
		s.ask("GET", payments+"/configs/limits", "", headers...).expect(200, "1")
	}
	s.ask("POST", payments+"/commits", `{"changes":[{"op":"put","name":"limits","value":2}]}`, "Sec-Fetch-Site: same-origin").expect(201)
	s.ask("POST", payments+"/commits", `{"changes":[{"op":"put","name":"limits","value":3}]}`, "Origin: http://example.com").expect(201) // its own host, as httptest has it
}
