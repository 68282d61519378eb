package contract_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/contract"
)

const text = `
openapi: 3.1.0
info: {title: shop, version: "1"}
paths:
  /v1/things/{name}:
    parameters:
      - {name: name, in: path, required: true, schema: {type: string}}
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1}}
      responses:
        "200":
          description: it
          headers:
            ETag: {required: true, schema: {type: string}}
          content:
            application/json:
              schema:
                type: object
                required: [name]
                properties:
                  name: {type: string}
                  labels: {type: object, additionalProperties: {type: string}}
        "404":
          description: none
          content:
            application/problem+json: {schema: {type: object, required: [code], properties: {code: {const: not_found}}}}
    put:
      requestBody:
        content:
          application/json: {schema: {type: object, additionalProperties: false, properties: {name: {type: string}}}}
      responses:
        "200": {description: done}
`

// An answerer answers every request alike.
type answerer struct {
	status             int
	kind, etag, body   string
	field, ofThatField string
}

func (a answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for key, value := range map[string]string{"Content-Type": a.kind, "ETag": a.etag, a.field: a.ofThatField} {
		if value != "" {
			w.Header().Set(key, value)
		}
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func TestServe(t *testing.T) {
	c, err := contract.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	good := answerer{status: 200, kind: "application/json", etag: `"x"`, body: `{"name":"a","labels":{"any":"one"}}`}
	with := func(change func(a *answerer)) answerer {
		a := good
		change(&a)
		return a
	}
	none := answerer{status: 404, kind: "application/problem+json", body: `{"code":"not_found"}`}
	for _, test := range []struct {
		name, method, path, body string
		answer                   answerer
		want                     string // "" for nothing to complain of
	}{
		{"as promised", "GET", "/v1/things/a", "", good, ""},
		{"a member that nobody wrote down", "GET", "/v1/things/a", "", with(func(a *answerer) { a.body = `{"name":"a","size":1}` }), "size"},
		{"a member that is missing", "GET", "/v1/things/a", "", with(func(a *answerer) { a.body = `{}` }), "name"},
		{"a member of another type", "GET", "/v1/things/a", "", with(func(a *answerer) { a.body = `{"name":1}` }), "name"},
		{"a status that nobody wrote down", "GET", "/v1/things/a", "", with(func(a *answerer) { a.status = 202 }), "202"},
		{"a field that nobody wrote down", "GET", "/v1/things/a", "", with(func(a *answerer) { a.field, a.ofThatField = "X-Debug", "1" }), "X-Debug"},
		{"a field that is missing", "GET", "/v1/things/a", "", with(func(a *answerer) { a.etag = "" }), "ETag"},
		{"another media type", "GET", "/v1/things/a", "", with(func(a *answerer) { a.kind = "text/html" }), "text/html"},
		{"a query that should have been refused", "GET", "/v1/things/a?limit=0", "", good, "forbids"},
		{"a query that was refused", "GET", "/v1/things/a?limit=0", "", none, ""},
		{"a code that nobody wrote down", "GET", "/v1/things/a", "", with(func(a *answerer) { *a = none; a.body = `{"code":"gone"}` }), "not_found"},
		{"a problem that is none", "GET", "/v1/things/a", "", with(func(a *answerer) { *a = none; a.kind = "text/plain" }), "text/plain"},
		{"an operation that nobody wrote down", "POST", "/v1/things/a", "", good, "no such operation"},
		{"a path that nobody wrote down", "GET", "/v1/others", "", good, "no such operation"},
		{"no such path", "GET", "/v1/others", "", none, ""},
		{"no such method", "POST", "/v1/things/a", "", answerer{status: 405, kind: "application/problem+json"}, ""},
		{"a body as promised", "PUT", "/v1/things/a", `{"name":"b"}`, answerer{status: 200}, ""},
		{"a body that should have been refused", "PUT", "/v1/things/a", `{"nome":"b"}`, answerer{status: 200}, "forbids"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), test.method, test.path, strings.NewReader(test.body))
			err := c.Serve(test.answer, w, r)
			if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if w.Code != test.answer.status || w.Body.String() != test.answer.body {
				t.Errorf("the answer did not come through: %d %s", w.Code, w.Body)
			}
		})
	}
	if operations := c.Operations(); len(operations) != 2 || operations[0].Pattern() != "GET /v1/things/{name}" {
		t.Errorf("%v", operations)
	}
}

// TestTransport: what comes over the wire is held against the contract too, and
// arrives.
func TestTransport(t *testing.T) {
	c, err := contract.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var told []error
	client := &http.Client{Transport: c.Transport(func(err error) { told = append(told, err) })}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("ETag", `"x"`)
		answerer{status: 200, kind: "application/json", body: `{"name":"a"` + string(body) + `}`}.ServeHTTP(w, r)
	}))
	defer server.Close()
	for body, want := range map[string]int{"": 0, `,"size":1`: 1} {
		told = nil
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v1/things/a", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		arrived, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if len(told) != want || string(arrived) != `{"name":"a"`+body+`}` {
			t.Errorf("%q: told %v, arrived %s", body, told, arrived)
		}
	}
	server.Close()
	if _, err := client.Get(server.URL); err == nil {
		t.Error("nobody answered, without an error")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "a: [", "openapi: 3.1.0\npaths: {}\n", strings.Replace(text, `description: done`, `descrption: done`, 1)} {
		if _, err := contract.Parse([]byte(text)); err == nil {
			t.Errorf("taken for a contract: %.60q", text)
		}
	}
}
