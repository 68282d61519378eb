package handler_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	s := newGuardedSite(t)
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	a := s.ask("POST", "/v1/tokens", `{"name":"ci","role":"publisher","namespaces":["payments","team-*"],"expires_at":"`+expires+`"}`, as(adminToken)).
		expect(201, `"name":"ci","role":"publisher","namespaces":["payments","team-*"]`, `"expires_at":"`+expires+`"`, `"last_used_at":null,"revoked_at":null`)
	made := decode[struct{ ID, Token string }](a)
	if !strings.HasPrefix(made.Token, "herald_"+made.ID+"_") || len(made.Token) != len("herald_")+10+1+52 {
		t.Errorf("a token is a mark, its ID and 256 bits: %s", made.Token)
	}
	s.ask("GET", "/v1/namespaces/payments/configs", "", as(made.Token)).problem(404, "not_found")
	listed := s.ask("GET", "/v1/tokens", "", as(adminToken)).expect(200, `"tokens":[{"id":"`+made.ID+`","name":"ci"`, `"last_used_at":"`)
	if strings.Contains(listed.Body.String(), made.Token) || strings.Contains(listed.Body.String(), `"token":`) {
		t.Error("the list shows the token")
	}
	_, second := s.token("ci", "publisher", "payments") // two alive, to rotate
	for i, secret := range []string{made.Token, second} {
		s.ask("GET", "/v1/namespaces/payments/configs", "", as(secret))
		s.ask("PUT", "/v1/namespaces/payments/configs/limits", fmt.Sprint(i), as(secret)).expect([]int{201, 200}[i])
		s.ask("GET", fmt.Sprintf("/v1/namespaces/payments/revisions/%d", i+1), "", as(secret)).expect(200, `"author":"ci"`)
	}
	s.ask("DELETE", "/v1/tokens/"+made.ID, "", as(adminToken)).expect(200, `"revoked_at":"`)
	s.ask("DELETE", "/v1/tokens/"+made.ID, "", as(adminToken)).expect(200, `"revoked_at":"`)
	s.ask("DELETE", "/v1/tokens/nobody", "", as(adminToken)).problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/payments/configs", "", as(made.Token)).problem(401, "unauthorized", "revoked")
	s.ask("GET", "/v1/namespaces/payments/configs", "", as(second)).expect(200)
	s.guard(adminToken) // it stays so after a restart
	s.ask("GET", "/v1/namespaces/payments/configs", "", as(made.Token)).problem(401, "unauthorized", "revoked")
	s.ask("GET", "/v1/namespaces/payments/configs", "", as(second)).expect(200)
}

func TestTokensThatOpenNothing(t *testing.T) {
	s := newGuardedSite(t)
	id, secret := s.token("ci", "reader")
	last := "a"
	if strings.HasSuffix(secret, last) {
		last = "b"
	}
	for name, wrong := range map[string]string{
		"none": "", "another": "herald_aaaaaaaaaa_bbbb", "its ID alone": "herald_" + id, "its ID and nothing": "herald_" + id + "_",
		"one letter off": secret[:len(secret)-1] + last, "cut off": secret[:len(secret)-1], "longer": secret + "a", "the admin's, longer": adminToken + "a",
	} {
		if got := s.ask("GET", "/v1/namespaces", "", as(wrong)); got.Code != 401 {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	s.ask("GET", "/v1/namespaces", "", "Authorization: Basic "+secret).problem(401, "unauthorized")
}

func TestTokenRefusals(t *testing.T) {
	s := newGuardedSite(t)
	for body, says := range map[string]string{
		`{"name":"","role":"reader"}`:                                                    "name",
		`{"name":"anonymous","role":"reader"}`:                                           "anonymous",
		`{"name":"a\u0000b","role":"reader"}`:                                            "name",
		`{"name":"` + strings.Repeat("n", 65) + `","role":"reader"}`:                     "name",
		`{"name":"r","role":"root"}`:                                                     "role",
		`{"name":"r"}`:                                                                   "role",
		`{"name":"r","role":"reader","namespaces":[]}`:                                   "namespaces",
		`{"name":"r","role":"reader","namespaces":null}`:                                 "namespaces",
		`{"name":"r","role":"reader","namespaces":["Team"]}`:                             "namespace",
		`{"name":"r","role":"reader","namespaces":["*-team"]}`:                           "namespace",
		`{"name":"r","role":"reader","expires_at":"2020-01-01T00:00:00Z"}`:               "expired",
		`{"name":"r","role":"admin","namespaces":["payments"]}`:                          "admin",
		`{"name":"r","role":"reader","Owner":"x"}`:                                       "unknown",
		fmt.Sprintf(`{"name":"r","role":"reader","namespaces":["%0100d"]}`, 0):           "namespace",
		`{"name":"r","role":"reader","namespaces":["` + strings.Repeat("a", 64) + `*"]}`: "namespace",
	} {
		a := s.bareAnswer("POST", "/v1/tokens", as(adminToken), "body:"+body)
		a.problem(400, "invalid_request", says)
	}
	s.ask("GET", "/v1/tokens", "", as(adminToken)).expect(200, `{"tokens":[]}`)
}

func TestTokensArePaged(t *testing.T) {
	s := newGuardedSite(t)
	for i := range 5 {
		s.token(fmt.Sprintf("t%d", i%3), "reader")
	}
	var seen []string
	for path := "/v1/tokens?limit=2"; path != ""; {
		page := decode[struct {
			Tokens []struct{ Name string }
			Next   string
		}](s.ask("GET", path, "", as(adminToken)).expect(200))
		for _, token := range page.Tokens {
			seen = append(seen, token.Name)
		}
		path = page.Next
	}
	if got := strings.Join(seen, " "); got != "t0 t0 t1 t1 t2" {
		t.Error(got)
	}
}
