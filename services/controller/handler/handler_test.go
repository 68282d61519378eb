package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/schema"
	"github.com/heraldconf/herald/shared/telemetry"
)

const interval = 15 * time.Second

// A site is a controller's handler on a real store, without a network.
type site struct {
	t        *testing.T
	store    *repository.Store
	parts    handler.Parts
	handler  *handler.Handler
	routes   http.Handler
	sets     func(all map[config.Name][]byte) usecase.SchemaSet
	draining chan struct{}
}

func newSite(t *testing.T) *site {
	t.Helper()
	store, err := repository.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	quiet := slog.New(slog.DiscardHandler)
	configs, err := usecase.NewConfigs(t.Context(), store, store, store, quiet)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, store: store, draining: make(chan struct{})}
	s.sets = func(all map[config.Name][]byte) usecase.SchemaSet { return schema.Read(all) }
	schemas := usecase.NewSchemas(store, store, func(all map[config.Name][]byte) usecase.SchemaSet { return s.sets(all) })
	configs.HoldTo(schemas)
	key, _, err := repository.OpenKeyFile(filepath.Join(t.TempDir(), "c.key"))
	if err != nil {
		t.Fatal(err)
	}
	signing := usecase.NewSigning(key, store, quiet)
	configs.SignWith(signing)
	fleet, err := usecase.NewFleet(t.Context(), store, configs, interval, quiet)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := usecase.NewTokens(t.Context(), store, "", quiet)
	if err != nil {
		t.Fatal(err)
	}
	s.parts = handler.Parts{
		Configs: configs, Schemas: schemas, Fleet: fleet, Undo: usecase.NewUndo(configs, store), Proposals: usecase.NewProposals(configs, store, store, store), Retention: usecase.NewRetention(store, quiet), Settings: store, Receipts: usecase.NewReceipts(store),
		Tokens: tokens, Audit: usecase.NewAudit(store, quiet), Signing: signing, Ready: store.Ready, Backup: store.Backup, Pending: func() int { return 0 },
		Bus: func() string { return "none" }, Version: "test", Epoch: store.Epoch(), Draining: s.draining, Logger: quiet,
	}
	s.handler = handler.New(s.parts)
	s.routes = s.handler.Routes(telemetry.NewRegistry())
	return s
}

// An answer is what came back.
type answer struct {
	*httptest.ResponseRecorder
	t *testing.T
}

// ask makes a request; headers are "Key: value".
func (s *site) ask(method, path, body string, headers ...string) answer {
	return s.askWith(s.t.Context(), method, path, body, headers...)
}

func (s *site) askWith(ctx context.Context, method, path, body string, headers ...string) answer {
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	for _, header := range headers {
		key, value, _ := strings.Cut(header, ": ")
		r.Header.Add(key, value)
	}
	w := httptest.NewRecorder()
	serveAsPromised(s.t, s.routes, w, r)
	return answer{w, s.t}
}

// put writes a JSON config that must be taken.
func (s *site) put(path, body string) answer {
	s.t.Helper()
	a := s.ask("PUT", "/v1/namespaces/"+path, body)
	if a.Code/100 != 2 {
		s.t.Fatalf("put %s: %d %s", path, a.Code, a.Body)
	}
	return a
}

func (a answer) expect(status int, says ...string) answer {
	a.t.Helper()
	if a.Code != status {
		a.t.Errorf("status %d, want %d: %s", a.Code, status, a.Body)
	}
	for _, want := range says {
		if !strings.Contains(a.Body.String(), want) {
			a.t.Errorf("%s does not say %s", a.Body, want)
		}
	}
	return a
}

// problem expects problem details of that status and code.
func (a answer) problem(status int, code string, says ...string) answer {
	a.t.Helper()
	a.expect(status, append(says, `"code":"`+code+`"`)...)
	if got := a.Header().Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("Content-Type %q", got)
	}
	return a
}

func (a answer) header(want map[string]string) answer {
	a.t.Helper()
	for key, value := range want {
		if got := a.Header().Get(key); got != value {
			a.t.Errorf("%s: got %q, want %q", key, got, value)
		}
	}
	return a
}

// decode reads the body as JSON.
func decode[T any](a answer) T {
	a.t.Helper()
	var into T
	if err := json.Unmarshal(a.Body.Bytes(), &into); err != nil {
		a.t.Fatalf("%v: %s", err, a.Body)
	}
	return into
}

func TestPut(t *testing.T) {
	s := newSite(t)
	document := config.Document{MediaType: "application/json", Body: []byte(` {"rps": 50} `)}
	etag := string(document.ETag())
	want := fmt.Sprintf(`{"namespace":"payments","name":"limits","revision":1,"etag":"%s","changed":true}`, etag)
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", string(document.Body), "Content-Type: application/json; charset=UTF-8", "Herald-Message: first").
		expect(201, want).header(map[string]string{"Etag": `"` + etag + `"`, "Herald-Revision": "1", "Herald-Epoch": string(s.parts.Epoch)})
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", string(document.Body)).
		expect(200, `"revision":1`, `"changed":false`, etag)
	s.put("payments/configs/other", `1`)
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", string(document.Body)).expect(200, `"revision":2`, `"changed":false`)
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `{"rps":51}`).expect(200, `"revision":3`, `"changed":true`)
	s.ask("GET", "/v1/namespaces/payments/revisions/1", "").expect(200, `"message":"first"`, `"author":"anonymous"`, `"value": {"rps": 50} }`)
}

func TestPutRefusals(t *testing.T) {
	s := newSite(t)
	long := strings.Repeat("n", 64)
	big := strings.Repeat("1", config.MaxDocument+1)
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
		code, says       string
	}{
		{"a bad namespace", "Payments/configs/limits", `1`, nil, 400, "invalid_name", "Payments"},
		{"a bad name", "payments/configs/" + long, `1`, nil, 400, "invalid_name", "1 to 63"},
		{"a path as a name", "payments/configs/..%2Fetc", `1`, nil, 400, "invalid_name", ""},
		{"the name before the body", "payments/configs/A", big, nil, 400, "invalid_name", ""},
		{"no JSON", "payments/configs/limits", `{"rps":}`, nil, 400, "invalid_json", "line 1"},
		{"a doubled key", "payments/configs/limits", `{"rps":1,"rps":2}`, nil, 400, "invalid_json", `"path":"/rps"`},
		{"nothing", "payments/configs/limits", ``, nil, 400, "invalid_json", "too early"},
		{"no YAML", "payments/configs/limits", "a:\n\tb: 1\n", []string{"Content-Type: application/yaml"}, 400, "invalid_yaml", "line 2"},
		{"no TOML", "payments/configs/limits", "a = = 1", []string{"Content-Type: application/toml"}, 400, "invalid_toml", "line 1"},
		{"no UTF-8", "payments/configs/limits", "\xff", []string{"Content-Type: text/plain"}, 400, "invalid_text", "UTF-8"},
		{"a form", "payments/configs/limits", `a=b`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "unsupported_media_type", "--data-binary"},
		{"a media type that is none", "payments/configs/limits", `1`, []string{"Content-Type: json"}, 415, "unsupported_media_type", "json"},
		{"too large", "payments/configs/limits", big, nil, 413, "too_large", "1048576"},
		{"a long message", "payments/configs/limits", `1`, []string{"Herald-Message: " + strings.Repeat("m", 1025)}, 400, "invalid_request", "1024"},
		{"a message that is no text", "payments/configs/limits", `1`, []string{"Herald-Message: a\x07b"}, 400, "invalid_request", "control"},
		{"a switch that is neither", "payments/configs/limits?dry_run=maybe", `1`, nil, 400, "invalid_request", "true or false"},
		{"an ETag that is not there", "payments/configs/limits", `1`, []string{`If-Match: "x"`}, 412, "precondition_failed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.ask("PUT", "/v1/namespaces/"+c.path, c.body, c.headers...)
			a.t = t
			a.problem(c.status, c.code, c.says)
		})
	}
	s.ask("GET", "/v1/namespaces", "").expect(200, `{"namespaces":[]}`)
}

func TestConditions(t *testing.T) {
	s := newSite(t)
	path := "/v1/namespaces/payments/configs/limits"
	first := s.ask("PUT", path, `1`, "If-None-Match: *").expect(201).Header().Get("Etag")
	s.ask("PUT", path, `2`, "If-None-Match: *").problem(412, "precondition_failed", strings.Trim(first, `"`))
	s.ask("PUT", path, `2`, `If-Match: "other", W/"weak"`).problem(412, "precondition_failed")
	second := s.ask("PUT", path, `2`, `If-Match: "other", `+first).expect(200).Header().Get("Etag")
	s.ask("PUT", path, `3`, "If-Match: "+first).problem(412, "precondition_failed")
	s.ask("PUT", path, `3`, "If-Match: "+strings.TrimSuffix(second, `"`)+`-gzip"`).expect(200)
	s.ask("PUT", path, `4`, "If-Match: *").expect(200)
	s.ask("DELETE", path, "", "If-Match: "+first).problem(412, "precondition_failed")
	s.ask("DELETE", path, "", "If-Match: *").expect(200)
	s.ask("DELETE", path, "", "If-Match: *").problem(404, "not_found")
}

func TestDelete(t *testing.T) {
	s := newSite(t)
	etag := s.put("payments/configs/limits", `1`).Header().Get("Etag")
	s.put("payments/configs/other", `1`)
	s.ask("DELETE", "/v1/namespaces/payments/configs/limits", "").
		expect(200, `"name":"limits","revision":3,"etag":`+etag+`,"changed":true`).header(map[string]string{"Etag": etag, "Herald-Revision": "3"})
	s.ask("GET", "/v1/namespaces/payments/configs/limits", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/payments/snapshot", "").expect(200, `"tombstones":{"limits":{"revision":3}}`)
	s.ask("DELETE", "/v1/namespaces/payments/configs/limits", "").problem(404, "not_found")
	s.ask("DELETE", "/v1/namespaces/nobody/configs/limits", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/payments/configs/limits?revision=2", "").expect(200, "1")
}

func TestCommits(t *testing.T) {
	s := newSite(t)
	path := "/v1/namespaces/payments/commits"
	s.ask("POST", path, `{"message":"begin","base_revision":0,"changes":[
		{"op":"put","name":"limits","value": {"rps": 1.0,  "b":[ ]} },
		{"op":"put","name":"motd","text":"hi\n"},
		{"op":"put","name":"key","base64":"AP8="},
		{"op":"put","name":"spaced","mediaType":"application/json","text":" 1 "},
		{"op":"put","name":"nothing","value":null}]}`).
		expect(201, `{"namespace":"payments","revision":1,"changed":true}`)
	for name, want := range map[string][2]string{
		"limits": {"application/json", `{"rps": 1.0,  "b":[ ]}`}, "motd": {"text/plain", "hi\n"},
		"key": {"application/octet-stream", "\x00\xff"}, "spaced": {"application/json", " 1 "}, "nothing": {"application/json", "null"},
	} {
		a := s.ask("GET", "/v1/namespaces/payments/configs/"+name, "").expect(200)
		if a.Header().Get("Content-Type") != want[0] || a.Body.String() != want[1] {
			t.Errorf("%s: %s %q, want %q", name, a.Header().Get("Content-Type"), a.Body, want)
		}
	}
	s.ask("POST", path, `{"changes":[{"op":"put","name":"motd","text":"hi\n"}]}`).expect(200, `"name":"motd","revision":1`, `"changed":false`)
	s.ask("POST", path, `{"base_revision":1,"changes":[{"op":"put","name":"motd","text":"ho"},{"op":"delete","name":"key"}]}`).expect(201, `"revision":2`)
	s.ask("POST", path, `{"base_revision":1,"changes":[{"op":"delete","name":"motd"}]}`).problem(409, "stale_base", "stands at 2")
	deleted := s.ask("POST", path, `{"changes":[{"op":"delete","name":"motd"}]}`).expect(201, `"name":"motd","revision":3,"etag":"`)
	if deleted.Header().Get("Etag") == "" {
		t.Error("the answer does not say what was deleted")
	}
}

func TestCommitRefusals(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `1`)
	tooMany := `{"changes":[`
	mib := strings.Repeat("x", 1<<20)
	for i := range 9 {
		tooMany += fmt.Sprintf(`{"op":"put","name":"c%d","text":"%s"},`, i, mib)
	}
	tooMany = strings.TrimSuffix(tooMany, ",") + "]}"
	for body, want := range map[string]string{
		`{"changes":[]}`: "400 invalid_request",
		`{}`:             "400 invalid_request",
		`[]`:             "400 invalid_request",
		`{"changes":[{"op":"put","name":"a","value":1},{"op":"put","name":"a","value":2}]}`:  "400 invalid_request",
		`{"changes":[{"op":"put","name":"a","value":1}],"force":true}`:                       "400 invalid_request",
		`{"changes":[{"op":"put","name":"a","value":1}],"changes":[]}`:                       "400 invalid_request",
		`{"changes":[{"op":"put","name":"a"}]}`:                                              "400 invalid_request",
		`{"changes":[{"op":"put","name":"a","value":1,"text":"1"}]}`:                         "400 invalid_request",
		`{"changes":[{"op":"delete","name":"limits","value":1}]}`:                            "400 invalid_request",
		`{"changes":[{"op":"move","name":"a","value":1}]}`:                                   "400 invalid_request",
		`{"changes":[{"op":"put","name":"a","base64":"!"}]}`:                                 "400 invalid_request",
		`{"changes":[{"op":"put","name":"a","value":1,"mediaType":"text/plain"}]}`:           "400 invalid_request",
		`{"changes":[{"op":"put","name":"A","value":1}]}`:                                    "400 invalid_name",
		`{"changes":[{"op":"put","name":"a","mediaType":"x","text":""}]}`:                    "415 unsupported_media_type",
		`{"changes":[{"op":"put","name":"a","mediaType":"application/json","text":"{"}]}`:    "400 invalid_json",
		`{"changes":[{"op":"put","name":"a","mediaType":"application/yaml","text":"a: ["}]}`: "400 invalid_yaml",
		`{"changes":[{"op":"put","name":"a","value":1},{"op":"delete","name":"nobody"}]}`:    "404 not_found",
		`{"message":"` + strings.Repeat("m", 1025) + `","changes":[]}`:                       "400 invalid_request",
		tooMany: "413 too_large",
	} {
		a := s.ask("POST", "/v1/namespaces/payments/commits", body)
		if got := fmt.Sprintf("%d %s", a.Code, decode[struct{ Code string }](a).Code); got != want {
			t.Errorf("%.100s: got %s, want %s: %.200s", body, got, want, a.Body)
		}
	}
	s.ask("POST", "/v1/namespaces/payments/commits?dry_run=2", `{"changes":[{"op":"delete","name":"limits"}]}`).problem(400, "invalid_request")
	s.ask("GET", "/v1/namespaces/payments/snapshot", "").expect(200, `"revision":1`)
}
