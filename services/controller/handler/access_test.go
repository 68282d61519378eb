package handler_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/telemetry"
)

const adminToken = "given-from-outside"

// newGuardedSite is a site that has an admin's token, given from outside.
func newGuardedSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.guard(adminToken)
	return s
}

// guard builds the site anew on what its store keeps, as a restart does.
func (s *site) guard(given string) {
	s.t.Helper()
	tokens, err := usecase.NewTokens(s.t.Context(), s.store, given, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.parts.Tokens = tokens
	s.handler = handler.New(s.parts)
	s.routes = s.handler.Routes(telemetry.NewRegistry())
}

func as(token string) string { return "Authorization: Bearer " + token }

// token makes a token, and returns its ID and itself.
func (s *site) token(name, role string, namespaces ...string) (id, secret string) {
	s.t.Helper()
	asked := map[string]any{"name": name, "role": role}
	if len(namespaces) > 0 {
		asked["namespaces"] = namespaces
	}
	body, _ := json.Marshal(asked)
	made := decode[struct{ ID, Token string }](s.ask("POST", "/v1/tokens", string(body), as(adminToken)).expect(201))
	return made.ID, made.Token
}

// TestAccess walks all routes with each role and shows who may use what. What a
// role may not is 403, and without a token all is 401 but what is open.
func TestAccess(t *testing.T) {
	s := newGuardedSite(t)
	secrets := map[domain.Role]string{domain.Admin: adminToken}
	for _, role := range domain.Roles[1:] {
		_, secrets[role] = s.token(string(role)+"-1", string(role), "payments")
	}
	var matrix strings.Builder
	fmt.Fprintf(&matrix, "%-55s", "route")
	for _, role := range domain.Roles {
		fmt.Fprintf(&matrix, "%-10s", role)
	}
	patterns := handler.Patterns()
	for _, pattern := range patterns {
		may, open, ok := handler.Granted(pattern)
		if !ok {
			t.Errorf("%s: no line in the table of access.go", pattern)
			continue
		}
		fmt.Fprintf(&matrix, "\n%-55s", pattern)
		if s.reaches(pattern, "payments", "") != open {
			t.Errorf("%s: open is %v, but not so without a token", pattern, open)
		}
		for _, role := range domain.Roles {
			mark := "-"
			if may(role) {
				mark = "yes"
			}
			if open {
				mark = "open"
			}
			fmt.Fprintf(&matrix, "%-10s", mark)
			if got := s.reaches(pattern, "payments", secrets[role]); got != may(role) {
				t.Errorf("%s as %s: let in is %v, the table says %v", pattern, role, got, may(role))
			}
			if role != domain.Admin && strings.Contains(pattern, "{ns}") && s.reaches(pattern, "elsewhere", secrets[role]) {
				t.Errorf("%s as %s: let into a namespace that its token does not open", pattern, role)
			}
		}
	}
	t.Log("\n" + matrix.String())
	for _, pattern := range handler.GrantedPatterns() {
		if !slices.Contains(patterns, pattern) {
			t.Errorf("the table of access.go has %s, which nobody answers", pattern)
		}
	}
}

// bare makes a request that is not held against the contract; one header may be
// "body:" and the body.
func (s *site) bare(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	for _, header := range headers {
		if text, ok := strings.CutPrefix(header, "body:"); ok {
			body = text
		}
	}
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	for _, header := range headers {
		if key, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Add(key, value)
		}
	}
	w := httptest.NewRecorder()
	s.routes.ServeHTTP(w, r)
	return w
}

func (s *site) bareAnswer(method, path string, headers ...string) answer {
	return answer{s.bare(method, path, "", headers...), s.t}
}

// reaches reports whether a route lets a request in, whatever it answers then.
func (s *site) reaches(pattern, namespace, secret string) bool {
	method, path, _ := strings.Cut(pattern, " ")
	for name, value := range map[string]string{"{ns}": namespace, "{name}": "limits", "{id}": "host-7", "{revision}": "1", "{proposal}": "1"} {
		path = strings.ReplaceAll(path, name, value)
	}
	w := s.bare(method, path, "{}", as(secret))
	if w.Code == http.StatusUnauthorized && secret != "" {
		s.t.Errorf("%s: 401 with a token", pattern)
	}
	return w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden
}

func TestWithoutTokensAllIsOpen(t *testing.T) {
	s := newSite(t)
	s.ask("GET", "/v1/audit", "").expect(200)
	s.ask("GET", "/v1/namespaces", "", as("what-nobody-knows")).expect(200)
	s.ask("POST", "/v1/tokens", `{"name":"r","role":"reader"}`).problem(400, "invalid_request", "must be of the role admin")
	s.put("payments/configs/limits", `1`)
	s.ask("POST", "/v1/tokens", `{"name":"first","role":"admin"}`).expect(201)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "").problem(401, "unauthorized", "Bearer")
	s.ask("GET", "/healthz", "").expect(200)
	s.guard("")
	s.ask("GET", "/v1/namespaces/payments/snapshot", "").problem(401, "unauthorized").header(map[string]string{"Www-Authenticate": `Bearer realm="herald"`})
}

// TestForbiddenSaysNothingOfWhatIsThere: a namespace that there is and one that
// there is not are answered alike.
func TestForbiddenSaysNothingOfWhatIsThere(t *testing.T) {
	s := newGuardedSite(t)
	s.ask("PUT", "/v1/namespaces/secret/configs/limits", `1`, as(adminToken)).expect(201)
	_, reader := s.token("r", "reader", "team-*", "payments")
	there := s.ask("GET", "/v1/namespaces/secret/snapshot", "", as(reader)).problem(403, "forbidden").Body.String()
	if not := s.ask("GET", "/v1/namespaces/nobody/snapshot", "", as(reader)).problem(403, "forbidden").Body.String(); strings.ReplaceAll(not, "nobody", "secret") != there {
		t.Errorf("%s\n%s", there, not)
	}
	s.ask("GET", "/v1/namespaces/team-a/snapshot", "", as(reader)).problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/team/snapshot", "", as(reader)).problem(403, "forbidden")
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`, as(adminToken)).expect(201)
	s.ask("GET", "/v1/namespaces", "", as(reader)).expect(200, `"namespace":"payments"`)
	if got := s.ask("GET", "/v1/namespaces", "", as(reader)).Body.String(); strings.Contains(got, "secret") {
		t.Errorf("the list shows what the token does not open: %s", got)
	}
}

func TestNamespacesOfAScopeArePaged(t *testing.T) {
	s := newGuardedSite(t)
	for i := range 9 {
		s.ask("PUT", fmt.Sprintf("/v1/namespaces/%s-%d/configs/a", []string{"team", "x"}[i%2], i), `1`, as(adminToken)).expect(201)
	}
	_, reader := s.token("r", "reader", "team-*")
	var seen []string
	for path := "/v1/namespaces?limit=2"; path != ""; {
		page := decode[struct {
			Namespaces []struct{ Namespace string }
			Next       string
		}](s.ask("GET", path, "", as(reader)).expect(200))
		for _, n := range page.Namespaces {
			seen = append(seen, n.Namespace)
		}
		path = page.Next
	}
	if got := strings.Join(seen, " "); got != "team-0 team-2 team-4 team-6 team-8" {
		t.Error(got)
	}
}

func TestAuthorIsTheTokensName(t *testing.T) {
	s := newGuardedSite(t)
	_, publisher := s.token("alice@example.com", "publisher", "payments")
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`, as(publisher)).expect(201)
	s.ask("GET", "/v1/namespaces/payments/revisions/1", "", as(publisher)).expect(200, `"author":"alice@example.com"`)
	s.ask("POST", "/v1/namespaces/payments/commits", `{"changes":[{"op":"put","name":"limits","value":2}]}`, "Authorization: bearer "+publisher).expect(201)
	s.ask("GET", "/v1/namespaces/payments/revisions/2", "", as(adminToken)).expect(200, `"author":"alice@example.com"`)
}

func TestAgentReportsOfItself(t *testing.T) {
	s := newGuardedSite(t)
	_, one := s.token("one", "agent", "payments")
	_, two := s.token("host-2", "agent", "payments")
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`, as(adminToken)).expect(201)
	s.ask("PUT", "/v1/namespaces/secret/configs/limits", `1`, as(adminToken)).expect(201)
	s.ask("POST", "/v1/agents", `{"id":"host-1","namespaces":["payments","secret"]}`, as(one)).expect(200, `"namespaces":["payments"]`)
	s.ask("POST", "/v1/agents", `{"id":"host-2"}`, as(one)).expect(200)
	s.ask("POST", "/v1/agents", `{"id":"host-2","namespaces":["payments"]}`, as(two)).expect(200)
	s.ask("POST", "/v1/agents", `{"id":"host-2"}`, as(one)).problem(403, "forbidden", "host-2")
	s.ask("POST", "/v1/agents/host-2/reports", `{}`, as(one)).problem(403, "forbidden")
	verdict := `{"applied":[{"worker":"w-1","agent":"%s","namespace":"%s","revision":1,"status":"applied"}]}`
	report := func(agent, namespace string) answer {
		return s.ask("POST", "/v1/agents/host-1/reports", fmt.Sprintf(verdict, agent, namespace), as(one))
	}
	report("host-1", "payments").expect(200, `"recorded":1`)
	report("below", "payments").expect(200, `"recorded":1`)
	report("host-2", "payments").expect(200, `"recorded":0,"refused":1`)
	report("host-1", "secret").expect(200, `"recorded":0,"refused":1`)
	s.ask("POST", "/v1/agents/host-1/reports", `{"fetched":[{"agent":"host-2","namespace":"payments","revision":1}]}`, as(one)).
		expect(200, `"recorded":0,"refused":1`)
}

// TestNobodyElseMakesAnAgentSeemAlive: a pull in the name of an agent counts only
// with a token that speaks for it.
func TestNobodyElseMakesAnAgentSeemAlive(t *testing.T) {
	s := newGuardedSite(t)
	_, reader := s.token("r", "reader")
	_, agent := s.token("host-1", "agent")
	etag := s.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`, as(adminToken)).expect(201)
	_ = etag
	s.ask("POST", "/v1/agents", `{"id":"host-1","namespaces":["payments"]}`, as(agent)).expect(200)
	newest := s.ask("GET", "/v1/namespaces/payments/snapshot", "", as(reader)).expect(200).Header().Get("Etag")
	s.ask("GET", "/v1/namespaces/payments/snapshot", "", as(reader), "Herald-Agent: host-1", "If-None-Match: "+newest).expect(304)
	s.ask("GET", "/v1/agents/host-1", "", as(adminToken)).expect(200, `"fetched":{}`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "", as(agent), "Herald-Agent: host-1", "If-None-Match: "+newest).expect(304)
	s.ask("GET", "/v1/agents/host-1", "", as(adminToken)).expect(200, `"fetched":{"payments":`)
}

func TestAgentsAreSeenByWhoSharesANamespace(t *testing.T) {
	s := newGuardedSite(t)
	_, publisher := s.token("p", "publisher", "payments")
	for id, namespaces := range map[string]string{"host-1": `["payments","secret"]`, "host-2": `["secret"]`} {
		s.ask("POST", "/v1/agents", `{"id":"`+id+`","namespaces":`+namespaces+`}`, as(adminToken)).expect(200)
	}
	got := s.ask("GET", "/v1/agents", "", as(publisher)).expect(200, "host-1").Body.String()
	if strings.Contains(got, "host-2") || strings.Contains(got, "secret") {
		t.Error(got)
	}
	s.ask("GET", "/v1/agents/host-2", "", as(publisher)).problem(404, "not_found")
	s.ask("GET", "/v1/agents/host-1", "", as(publisher)).expect(200, `"namespaces":["payments"]`)
}

// TestRevocationCountsForWhatIsHeld: an answer that was held when its token was
// revoked is none.
func TestRevocationCountsForWhatIsHeld(t *testing.T) {
	s := newGuardedSite(t)
	id, reader := s.token("r", "reader")
	newest := s.ask("PUT", "/v1/namespaces/payments/configs/limits", `1`, as(adminToken)).expect(201)
	held := make(chan answer)
	tag := s.ask("GET", "/v1/namespaces/payments/snapshot", "", as(reader)).Header().Get("Etag")
	go func() {
		held <- s.bareAnswer("GET", "/v1/namespaces/payments/snapshot", as(reader), "Prefer: wait=20", "If-None-Match: "+tag)
	}()
	select {
	case a := <-held:
		t.Fatalf("not held: %d", a.Code)
	case <-time.After(100 * time.Millisecond): // it is held by now, or will find the token revoked at once
	}
	s.ask("DELETE", "/v1/tokens/"+id, "", as(adminToken)).expect(200, `"revoked_at":"`)
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `2`, as(adminToken)).expect(200)
	a := <-held
	a.problem(401, "unauthorized", "revoked")
	if a.Header().Get("Etag") != "" || strings.Contains(a.Body.String(), "configs") {
		t.Errorf("it says what it may not: %v %s", a.Header(), a.Body)
	}
	_ = newest
}
