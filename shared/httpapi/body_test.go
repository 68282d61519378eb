package httpapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/heraldconf/herald/shared/httpapi"
)

func put(t *testing.T, body io.Reader) *http.Request {
	return httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/x", body)
}

func TestReadBody(t *testing.T) {
	read := func(body io.Reader) (got []byte, p httpapi.Problem) {
		_, p = ask(t, httpapi.Handle(nil, func(w http.ResponseWriter, r *http.Request) (err error) {
			got, err = httpapi.ReadBody(w, r, 10)
			return err
		}), put(t, body))
		return got, p
	}
	for _, body := range []string{"", "x", "0123456789"} {
		if got, p := read(strings.NewReader(body)); string(got) != body || p.Code != "" {
			t.Errorf("%q: %q, %+v", body, got, p)
		}
	}
	for name, body := range map[string]io.Reader{
		"a byte more": strings.NewReader("0123456789a"),
		"much more":   strings.NewReader(strings.Repeat("x", 1<<20)),
		"unknown":     io.MultiReader(strings.NewReader("0123456789a")), // no length is known
	} {
		if _, p := read(body); p.Status != 413 || p.Code != "too_large" || p.Detail != "the body is larger than 10 bytes" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, p := read(iotest.ErrReader(errors.New("reset"))); p.Status != 400 || p.Code != "invalid_request" || !strings.Contains(p.Detail, "broke off") {
		t.Errorf("%+v", p)
	}
}

// A client reads the answer though it was not done with sending.
func TestTooLargeIsAnswered(t *testing.T) {
	server := httptest.NewServer(router(map[string]httpapi.HandlerFunc{"/x": func(w http.ResponseWriter, r *http.Request) error {
		_, err := httpapi.ReadBody(w, r, 1<<20)
		return err
	}}))
	defer server.Close()
	for name, expect := range map[string]string{"sends at once": "", "waits to be asked": "100-continue"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/x", strings.NewReader(strings.Repeat("x", 8<<20)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Expect", expect)
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute, DisableKeepAlives: true}}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
}

type position struct {
	Epoch    string `json:"epoch"`
	Revision int    `json:"revision"`
}

// order has every shape that a request of ours may have.
type order struct {
	Name    string              `json:"name"`
	At      time.Time           `json:"at"`
	Value   json.RawMessage     `json:"value"`
	Labels  map[string]string   `json:"labels"`
	Pairs   map[string]position `json:"pairs"`
	Changes []struct {
		Op   string `json:"op"`
		Data []byte `json:"data"`
	} `json:"changes"`
	Next   *position `json:"next"`
	Any    any       `json:"any"`
	Plain  []string
	Hidden string `json:"-"`
	position
	Position
}

// Position is embedded, and its members are the order's own.
type Position struct {
	Place string `json:"place"`
}

func readOrder(t *testing.T, body string) (o order, p httpapi.Problem) {
	t.Helper()
	_, p = ask(t, httpapi.Handle(nil, func(w http.ResponseWriter, r *http.Request) error {
		return httpapi.ReadJSON(w, r, 1<<20, &o)
	}), put(t, strings.NewReader(body)))
	return o, p
}

func TestReadJSON(t *testing.T) {
	o, p := readOrder(t, ` {"name":"n","at":"2026-03-04T12:00:00Z","value": {"NAME":1, "x":[1e400]},"labels":{"Zone":"a"},"pairs":{"A":{"epoch":"E"}},
		"changes":[{"op":"put","data":"AAE="},{"op":"delete"},null],"next":{"revision":2},"any":{"Any":[{"x":1}]},"Plain":["a"],"place":"here"} `)
	if p.Code != "" {
		t.Fatalf("%+v", p)
	}
	if o.Name != "n" || string(o.Value) != `{"NAME":1, "x":[1e400]}` || o.Labels["Zone"] != "a" || o.Pairs["A"].Epoch != "E" || len(o.Changes) != 3 ||
		string(o.Changes[0].Data) != "\x00\x01" || o.Next.Revision != 2 || o.Plain[0] != "a" || o.Place != "here" || o.At.IsZero() {
		t.Errorf("%+v", o)
	}
	if _, p := readOrder(t, `{}`); p.Code != "" {
		t.Errorf("%+v", p)
	}
}

func TestReadJSONRefuses(t *testing.T) {
	for body, says := range map[string]string{
		``:                                      "ends too early",
		`{`:                                     "ends too early",
		`null`:                                  "null where an object belongs",
		` null `:                                "null where an object belongs",
		`[]`:                                    "array where something else belongs",
		`"x"`:                                   "string where something else belongs",
		`{"name":"a"} {}`:                       "behind the end",
		`{"name":"a","name":"b"}`:               "stands twice",
		`{"next":{"epoch":"a","epoch":"b"}}`:    "stands twice",
		`{"nome":"a"}`:                          `unknown field "nome"`,
		`{"Hidden":"a"}`:                        `unknown field "Hidden"`,
		`{"-":"a"}`:                             `unknown field "-"`,
		`{"changes":[{"ob":"put"}]}`:            `unknown field "ob"`,
		`{"NAME":"a"}`:                          `unknown member "NAME"`,
		`{"name":"a","Name":"b"}`:               `unknown member "Name"`,
		`{"plain":["a"]}`:                       `unknown member "plain"`,
		`{"PLACE":"a"}`:                         `unknown member "PLACE"`,
		`{"next":{"Epoch":"a"}}`:                `unknown member "Epoch"`,
		`{"pairs":{"a/b":{"Epoch":"a"}}}`:       `unknown member "Epoch"`,
		`{"changes":[{"op":"put"},{"OP":"x"}]}`: `unknown member "OP"`,
		`{"name":1}`:                            `number where something else belongs, in "name"`,
		`{"next":{"revision":"1"}}`:             `string where something else belongs, in "next.revision"`,
		`{"next":{"revision":1.5}}`:             "number 1.5",
		`{"at":"noon"}`:                         "noon",
		`name=a`:                                "invalid character",
		"\xff":                                  "not UTF-8",
		"\ufeff{}":                              "byte order mark",
		strings.Repeat("[", 1000):               "nested deeper",
	} {
		_, p := readOrder(t, body)
		if p.Status != 400 || p.Code != "invalid_request" || !strings.Contains(p.Detail, says) || strings.Contains(p.Detail, "httpapi") {
			t.Errorf("%.50q: %+v, want %q", body, p, says)
		}
	}
	if _, p := readOrder(t, `{"pairs":{"a/b~c":{"Epoch":"a"}}}`); len(p.Errors) != 1 || p.Errors[0].Path != "/pairs/a~1b~0c/Epoch" {
		t.Errorf("%+v", p.Errors)
	}
	if _, p := readOrder(t, `{"name":"`+strings.Repeat("x", 1<<20)+`"}`); p.Status != 413 {
		t.Errorf("%+v", p)
	}
}
