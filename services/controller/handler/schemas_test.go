package handler_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

const (
	schemaPath = "/v1/namespaces/payments/schemas/limits"
	limitsPath = "/v1/namespaces/payments/configs/limits"
	ofLimits   = `{"type":"object","required":["rps"],"properties":{"rps":{"type":"integer","minimum":1}}}`
)

func TestSchemaHoldsItsConfig(t *testing.T) {
	s := newSite(t)
	etag := s.ask("PUT", schemaPath, ofLimits, "Content-Type: application/schema+json", "Herald-Message: rates are numbers").
		expect(201, `"name":"limits","revision":1,`, `"changed":true`).header(map[string]string{"Herald-Revision": "1"}).Header().Get("Etag")
	s.ask("PUT", schemaPath, ofLimits, "Content-Type: application/schema+json").expect(200, `"revision":1`, `"changed":false`)
	s.ask("PUT", limitsPath, `{"rps":"50"}`).problem(422, "schema_violation", `"path":"/rps"`, `"config":"limits"`, "is a string, and must be an integer")
	s.ask("PUT", limitsPath, "rps: fast\n", "Content-Type: application/yaml").problem(422, "schema_violation", "/rps")
	s.ask("PUT", limitsPath, "rps = 0\n", "Content-Type: application/toml").problem(422, "schema_violation", "/rps")
	s.ask("PUT", limitsPath, "rps: 1", "Content-Type: text/plain").problem(422, "schema_violation", "not JSON, YAML or TOML")
	s.ask("PUT", limitsPath+"?force=true", `{}`).problem(422, "schema_violation", "missing property 'rps'")
	s.ask("POST", "/v1/namespaces/payments/commits", `{"changes":[{"op":"put","name":"other","value":1},{"op":"put","name":"limits","value":{}}]}`).problem(422, "schema_violation")
	s.ask("GET", "/v1/namespaces/payments/configs/other", "").problem(404, "not_found")
	s.ask("PUT", limitsPath, "rps: 50\n", "Content-Type: application/yaml").expect(201, `"revision":2`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "").expect(200, `"revision":2,"configs":{"limits":{"revision":2,"mediaType":"application/yaml","text":"rps: 50\n"}}`)

	// It is a change like any other.
	s.ask("PUT", schemaPath, `true`, "If-None-Match: *").problem(412, "precondition_failed")
	s.ask("PUT", schemaPath, `true`, `If-Match: "other"`).problem(412, "precondition_failed")
	s.ask("PUT", schemaPath, `{"required":["burst"]}`, "If-Match: "+etag).problem(422, "schema_violation", "burst")
	s.ask("PUT", schemaPath+"?force=true", `{"required":["burst"]}`, "If-Match: "+etag).expect(200, `"revision":3`)
	s.ask("GET", "/v1/namespaces/payments/snapshot", "").expect(200, `"revision":3,"configs":{"limits":{"revision":2,`, `"tombstones":{}`)
	s.ask("DELETE", schemaPath, "").expect(200, `"revision":4`)
	s.ask("DELETE", schemaPath, "").problem(404, "not_found")
	s.ask("PUT", limitsPath, `1`).expect(200)
}

func TestSchemaIsRead(t *testing.T) {
	s := newSite(t)
	s.ask("GET", schemaPath, "").problem(404, "not_found")
	etag := s.ask("PUT", schemaPath, " "+ofLimits+"\n", "Content-Type: application/schema+json").expect(201).Header().Get("Etag")
	s.ask("PUT", "/v1/namespaces/payments/schemas/a", `true`).expect(201)
	s.ask("PUT", schemaPath, `{}`).expect(200)
	s.ask("GET", schemaPath, "").expect(200, `{}`).header(map[string]string{"Content-Type": "application/json", "Herald-Revision": "3"})
	a := s.ask("GET", schemaPath+"?revision=2", "").expect(200).header(map[string]string{"Content-Type": "application/schema+json", "Etag": etag})
	if a.Body.String() != " "+ofLimits+"\n" {
		t.Errorf("not as it was written: %q", a.Body)
	}
	s.ask("GET", schemaPath+"?revision=2", "", "If-None-Match: "+etag).expect(304)
	s.ask("GET", schemaPath+"?revision=4", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/payments/schemas?limit=1", "").expect(200, `{"schemas":[{"name":"a","revision":2,`, `"next":"/v1/namespaces/payments/schemas?after=a&limit=1"`)
	s.ask("GET", "/v1/namespaces/nobody/schemas", "").problem(404, "not_found")
	s.ask("GET", "/v1/namespaces/payments/revisions", "").expect(200, `"changes":[{"op":"put_schema","name":"limits","etag":"`)
	s.ask("GET", "/v1/namespaces/payments/revisions/1", "").
		expect(200, `"changes":[{"op":"put_schema","name":"limits","etag":`, `"mediaType":"application/schema+json","value": {"type":"object"`)
	s.ask("DELETE", schemaPath, "").expect(200)
	s.ask("GET", "/v1/namespaces/payments/revisions/4", "").expect(200, `"changes":[{"op":"delete_schema","name":"limits"}]`)
}

func TestSchemaRefusals(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		body, mediaType string
		status          int
		code, says      string
	}{
		{`{"type":`, "application/json", 400, "invalid_json", "line 1"},
		{`{"type":"object","type":"array"}`, "application/json", 400, "invalid_json", "/type"},
		{`{"type":"int"}`, "application/json", 422, "invalid_schema", `"path":"/type"`},
		{`{"$ref":"https://example.com/other.json"}`, "application/json", 422, "invalid_schema", "https://example.com/other.json"},
		{`{"pattern":"^(?!x)"}`, "application/json", 422, "invalid_schema", "/pattern"},
		{`type: object`, "application/yaml", 415, "unsupported_media_type", "application/schema+json"},
		{`a=b`, "application/x-www-form-urlencoded", 415, "unsupported_media_type", "--data-binary"},
		{strings.Repeat(" ", 1<<20+1), "application/json", 413, "too_large", ""},
	} {
		s.ask("PUT", schemaPath, c.body, "Content-Type: "+c.mediaType).problem(c.status, c.code, c.says)
	}
	s.ask("PUT", "/v1/namespaces/payments/schemas/Limits", `{}`).problem(400, "invalid_name")
	s.ask("GET", "/v1/namespaces", "").expect(200, `{"namespaces":[]}`)
}

// TestRollbackMeetsTodaysSchemas: what once was allowed need not be any more.
func TestRollbackMeetsTodaysSchemas(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `{"rps":"fast"}`)
	s.put("payments/configs/limits", `{"rps":1}`)
	s.ask("PUT", schemaPath, ofLimits).expect(201)
	s.ask("POST", "/v1/namespaces/payments/rollback", `{"to":1}`).problem(422, "schema_violation", "/rps")
	s.ask("POST", "/v1/namespaces/payments/rollback?dry_run=true", `{"to":1}`).problem(422, "schema_violation", "/rps")
	s.ask("POST", "/v1/namespaces/payments/revert", `{"revision":2}`).problem(422, "schema_violation", "/rps")
	s.ask("POST", "/v1/namespaces/payments/rollback", `{"to":2}`).expect(200, `"changed":false`)
}

func TestSchemaRefersToAnother(t *testing.T) {
	s := newSite(t)
	s.ask("PUT", "/v1/namespaces/payments/schemas/rate", `{"$id":"https://example.com/rate.json","type":"integer"}`).expect(201)
	s.ask("PUT", schemaPath, `{"properties":{"rps":{"$ref":"https://example.com/rate.json"}}}`).expect(201)
	s.ask("PUT", limitsPath, `{"rps":"x"}`).problem(422, "schema_violation", "/rps")
	s.ask("PUT", limitsPath, `{"rps":1}`).expect(201)
	s.ask("PUT", "/v1/namespaces/payments/schemas/rate", `{"$id":"https://example.com/rate.json","type":"string"}`).problem(422, "schema_violation", `"config":"limits"`)
	s.ask("DELETE", "/v1/namespaces/payments/schemas/rate", "").problem(422, "invalid_schema", "rate.json", "would not any more")
}

// TestSchemaCorpus puts real schemas, and then real configurations that do or do not meet
// them, as people would; it prints whether Herald agrees with who wrote them.
func TestSchemaCorpus(t *testing.T) {
	folder := cmp.Or(os.Getenv("HERALD_CORPUS"), filepath.Join("..", "..", "..", "..", "shared", "corpus"))
	schemas, err := filepath.Glob(filepath.Join(folder, "*", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(schemas) == 0 {
		t.Skipf("no */schema.json in %s: set HERALD_CORPUS to a folder of schemas with ok-*.json and bad-*.json", folder)
	}
	s := newSite(t)
	files, agreed := 0, 0
	for i, schema := range schemas {
		base := fmt.Sprintf("/v1/namespaces/n%d", i)
		refused := s.ask("PUT", base+"/schemas/it", corpusFile(t, schema), "Content-Type: application/schema+json")
		documents, _ := filepath.Glob(filepath.Join(filepath.Dir(schema), "*-*.json"))
		for _, path := range documents {
			a := s.ask("PUT", base+"/configs/it", corpusFile(t, path))
			name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
			good := strings.HasPrefix(filepath.Base(path), "ok-")
			files++
			if refused.Code/100 == 2 && (good && a.Code/100 == 2 || !good && a.Code == 422) {
				agreed++
				t.Logf("agrees    %s: %d", name, a.Code)
				continue
			}
			t.Logf("DISAGREES %s: schema %d, document %d %.300s", name, refused.Code, a.Code, a.Body)
		}
	}
	t.Logf("%d schemas, %d files: agreement on %d, %.1f %%", len(schemas), files, agreed, 100*float64(agreed)/float64(files))
	if 100*agreed <= 97*files {
		t.Error("that is not above 97 %")
	}
}

func corpusFile(t *testing.T, path string) string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestDryRun(t *testing.T) {
	s := newSite(t)
	s.ask("PUT", limitsPath+"?dry_run=true", `{"rps":1}`).
		expect(200, `{"dry_run":true,"namespace":"payments","name":"limits","etag":"`, `"changed":true,"revision":1,"changes":[{"name":"limits","op":"added"`, `"workers":[]}`)
	s.ask("GET", "/v1/namespaces", "").expect(200, `{"namespaces":[]}`)
	etag := s.put("payments/configs/limits", `{"rps":1}`).Header().Get("Etag")
	s.ask("PUT", limitsPath+"?dry_run=1", `{"rps":1}`).expect(200, `"changed":false,"revision":1,"changes":[],"workers":[]`)
	s.ask("PUT", limitsPath+"?dry_run=true", `{"rps":2}`).expect(200, `"changed":true,"revision":2,`, `"op":"changed","patch":[{"value":2,"op":"replace","path":"/rps"}]`, `-{\"rps\":1}`)
	s.ask("DELETE", limitsPath+"?dry_run=true&force=true", "").expect(200, `"op":"removed"`).header(map[string]string{"Etag": etag})
	s.ask("POST", "/v1/namespaces/payments/commits?dry_run=true", `{"changes":[{"op":"put","name":"a","value":1},{"op":"put","name":"limits","value":2}]}`).
		expect(200, `"revision":2,"changes":[{"name":"a","op":"added"`, `{"name":"limits","op":"changed"`)
	s.ask("PUT", schemaPath+"?dry_run=true", ofLimits).expect(200, `"changes":[],"schemas":[{"name":"limits","op":"added"`)
	s.ask("PUT", schemaPath+"?dry_run=true", `false`).problem(422, "schema_violation")
	s.ask("PUT", limitsPath+"?dry_run=true", `{"rps":`).problem(400, "invalid_json")
	s.ask("PUT", limitsPath+"?dry_run=true", `{}`).problem(409, "guard_empty")
	s.ask("PUT", limitsPath+"?dry_run=true", `2`, "If-None-Match: *").problem(412, "precondition_failed")
	s.ask("PUT", limitsPath+"?dry_run=perhaps", `2`).problem(400, "invalid_request", "dry_run")
	s.ask("GET", "/v1/namespaces/payments/revisions", "").expect(200, `{"revisions":[{"revision":1,`)
	if got := s.ask("GET", "/v1/namespaces/payments/snapshot", "").expect(200, `"value":{"rps":1}`); got.Header().Get("Herald-Revision") != "1" {
		t.Error("a dry run made a revision")
	}
}

func TestDryRunSaysWhoRunsOnIt(t *testing.T) {
	s := newSite(t)
	s.put("payments/configs/limits", `1`)
	s.ask("POST", "/v1/agents", `{"id":"host-7"}`).expect(200)
	s.ask("POST", "/v1/agents/host-7/reports", fmt.Sprintf(
		`{"applied":[{"worker":"w-1","agent":"host-7","namespace":"payments","revision":1,"epoch":"%s","status":"applied","at":"2026-01-02T03:04:05Z"}]}`, s.parts.Epoch)).expect(200)
	s.ask("PUT", limitsPath+"?dry_run=true", `2`).expect(200, `"workers":[{"id":"w-1","agent":"host-7","revision":1}]`)
	s.ask("PUT", limitsPath+"?dry_run=true", `1`).expect(200, `"changed":false`, `"workers":[]`)
}

func TestChecks(t *testing.T) {
	s := newSite(t)
	s.ask("PUT", schemaPath, ofLimits).expect(201)
	s.ask("POST", limitsPath+"/checks", `{"rps":50}`).expect(200, `"dry_run":true`, `"changed":true,"revision":2`)
	s.ask("POST", limitsPath+"/checks", "rps: 50\n", "Content-Type: application/yaml").expect(200)
	s.ask("POST", limitsPath+"/checks", `{"rps":0}`).problem(422, "schema_violation", "/rps")
	s.ask("POST", limitsPath+"/checks?dry_run=false", `{"rps":1}`).expect(200, `"dry_run":true`)
	s.ask("GET", limitsPath, "").problem(404, "not_found")
	if body := s.ask("GET", "/v1/namespaces/payments/revisions", "").Body.String(); len(regexp.MustCompile(`"revision":`).FindAllString(body, -1)) != 1 {
		t.Errorf("a check was kept: %s", body)
	}
}

// A weighty set takes longer for a document than a commit may be held to its schemas.
type weighty struct{ usecase.SchemaSet }

const patience = 20 * time.Millisecond

func (w weighty) Check(name config.Name, d config.Document) error {
	time.Sleep(10 * patience)
	return w.SchemaSet.Check(name, d)
}

// TestTooCostlyToCheck: a commit that would be judged for too long is refused in
// words that say what to do, by each way in, and nothing is written.
func TestTooCostlyToCheck(t *testing.T) {
	s := newTried(t)
	s.ask("PUT", payments+"/schemas/c2", `{"type":"object"}`, as(adminToken)).expect(201, `"revision":7`)
	const two = `{"changes":[{"op":"put","name":"c2","value":{"rps":1}},{"op":"put","name":"c3","value":{"rps":1}}]}`
	s.ask("POST", payments+"/proposals", two, s.alice).expect(202, `"proposal":2`)
	s.ask("POST", payments+"/commits", two, as(adminToken)).expect(201, `"revision":8`)
	read := s.sets
	s.sets = func(all map[config.Name][]byte) usecase.SchemaSet { return weighty{read(all)} }
	s.ask("PUT", payments+"/schemas/c1", `{"type":"object"}`, as(adminToken)).expect(201, `"revision":9`) // which has what is in memory read anew
	s.parts.Schemas.JudgeFor = patience
	before := s.everything()
	for _, call := range []struct{ path, body string }{
		{"/commits", strings.ReplaceAll(two, "1}", "2}")}, {"/commits?dry_run=true", strings.ReplaceAll(two, "1}", "2}")},
		{"/proposals", strings.ReplaceAll(two, "1}", "2}")}, {"/rollback", `{"to":7}`}, {"/revert", `{"revision":8}`},
	} {
		s.ask("POST", payments+call.path, call.body, as(adminToken)).problem(422, "schema_violation", "more than 20ms; split the commit")
	}
	if s.everything() != before {
		t.Error("something was written")
	}
	s.parts.Schemas.JudgeFor = time.Minute
	s.ask("POST", payments+"/commits", strings.ReplaceAll(two, "1}", "2}"), as(adminToken)).expect(201, `"revision":10`)
}
