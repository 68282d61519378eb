package document_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

func TestValue(t *testing.T) {
	for _, c := range []struct{ mediaType, body, want string }{
		{"application/json", `{"a":1.0,"b":[null,true,"x"],"n":12345678901234567890}`, `{"a":1.0,"b":[null,true,"x"],"n":12345678901234567890}`},
		{"application/yaml", "a: 1\nb: [~, yes, x]\nc: 0x1F\nd: 1_000\ne: 0.1\nf: 1e3\n", `{"a":1,"b":[null,"yes","x"],"c":31,"d":1000,"e":0.1,"f":1e3}`},
		{"application/yaml", "when: 2026-01-02\nat: 2026-01-02T03:04:05Z\nbin: !!binary aGk=\nmine: !x y\n", `{"at":"2026-01-02T03:04:05Z","bin":"aGk=","mine":"y","when":"2026-01-02"}`},
		{"application/yaml", "1: a\ntrue: b\n~: c\n1.5: d\n", `{"1":"a","1.5":"d","true":"b","~":"c"}`},
		{"application/yaml", "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz:\n  <<: [*x, {c: 4, a: 9}]\n", `{"x":{"a":1,"b":2},"y":{"a":1,"b":3},"z":{"a":1,"b":2,"c":4}}`},
		{"application/yaml", "big: 123456789012345678901234567890\nmode: 0755\noct: 0o17\nneg: -3\n", `{"big":123456789012345678901234567890,"mode":493,"neg":-3,"oct":15}`},
		{"application/yaml", "", `null`},
		{"application/yaml", "# nothing\n", `null`},
		{"application/toml", "a = 1\nb = 1.5\nc = 2026-01-02T03:04:05Z\nd = 2026-01-02\ne = 03:04:05\n[f]\ng = [true, \"x\", {h = 1}]\n",
			`{"a":1,"b":1.5,"c":"2026-01-02T03:04:05Z","d":"2026-01-02","e":"03:04:05","f":{"g":[true,"x",{"h":1}]}}`},
		{"application/toml", "a = 2026-01-02T03:04:05.5\n[[b]]\nc = 1\n[[b]]\nc = 2\n", `{"a":"2026-01-02T03:04:05.5","b":[{"c":1},{"c":2}]}`},
		{"application/toml", "", `{}`},
	} {
		value, err := document.Value(config.Document{MediaType: c.mediaType, Body: []byte(c.body)})
		text, _ := json.Marshal(value)
		if err != nil || string(text) != c.want {
			t.Errorf("%s %q: got %s %v, want %s", c.mediaType, c.body, text, err, c.want)
		}
	}
}

func TestWithoutMeaning(t *testing.T) {
	for _, c := range []struct {
		mediaType, body string
		want            error
		says            string
	}{
		{"text/plain", "x", document.ErrUnstructured, "text/plain"},
		{"image/png", "x", document.ErrUnstructured, "image/png"},
		{"application/json", "{", config.ErrInvalidJSON, ""},
		{"application/yaml", "a: [", document.ErrInvalidYAML, ""},
		{"application/toml", "a = =", document.ErrInvalidTOML, ""},
		{"application/json", `{"a":[1e401]}`, document.ErrNoMeaning, "/a/0"},
		{"application/json", `{"a":1e-99999999999999999999}`, document.ErrNoMeaning, "/a"},
		{"application/json", strings.Repeat("9", 401), document.ErrNoMeaning, "400 digits"},
		{"application/yaml", "a: {b: .nan}", document.ErrNoMeaning, "/a/b .nan is no number of JSON, line 1, column 8"},
		{"application/yaml", "a: 1\n---\nb: 2\n", document.ErrNoMeaning, "several documents"},
		{"application/yaml", "? [a]\n: 1\n", document.ErrNoMeaning, "a key that is a list"},
		{"application/yaml", "1: a\n\"1\": b\n", document.ErrNoMeaning, "/1 this key stands twice"},
		{"application/yaml", "<<: 1\n", document.ErrNoMeaning, "<< merges"},
		{"application/toml", "a = [inf]\n", document.ErrNoMeaning, "/a/0"},
	} {
		_, err := document.Value(config.Document{MediaType: c.mediaType, Body: []byte(c.body)})
		if _, ok := errors.AsType[*config.FaultyDocument](err); !ok || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %.40q: %v", c.mediaType, c.body, err)
		}
	}
}

// TestYAMLBombHasNoValue: what stands for too much is refused before it is read.
func TestYAMLBombHasNoValue(t *testing.T) {
	for _, body := range []string{bomb, tower, "a: &x [*x]\n"} {
		if _, err := document.Value(config.Document{MediaType: "application/yaml", Body: []byte(body)}); !errors.Is(err, document.ErrInvalidYAML) {
			t.Errorf("%.40q: %v", body, err)
		}
	}
}
