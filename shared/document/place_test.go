package document_test

import (
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

func TestLocate(t *testing.T) {
	const (
		json = "{\n  \"é\": {\"b/c\": [1, {\"d\": \"x\"}]}, \"rps\": 50,\n  \"~\": null\n}\n"
		yml  = "# limits\nbase: &base\n  rps: 50\na:\n  <<: *base\n  list:\n    - x\n    - {y: 1}\nb: *base\n"
		toml = "rps = 50\na.b = \"x\"\n[server]\nport = 80\nlist = [1, [2, 3],\n  {x = 4}]\n\n[[jobs]]\nname = \"one\"\n[[jobs]]\nname = 'two'\n[jobs.env]\nkey = true\n"
	)
	for _, c := range []struct {
		mediaType, body, pointer string
		line, column             int
	}{
		{"application/json", json, "", 1, 1},
		{"application/json", json, "/é", 2, 8},
		{"application/json", json, "/é/b~1c", 2, 16},
		{"application/json", json, "/é/b~1c/0", 2, 17},
		{"application/json", json, "/é/b~1c/1/d", 2, 26},
		{"application/json", json, "/rps", 2, 41},
		{"application/json", json, "/~0", 3, 8},
		{"application/json", json, "/é/missing/below", 2, 8}, // what is around it
		{"application/json", " 7", "", 1, 2},
		{"application/yaml", yml, "", 2, 1},
		{"application/yaml", yml, "/base/rps", 3, 8},
		{"application/yaml", yml, "/a/rps", 3, 8}, // merged in from there
		{"application/yaml", yml, "/a/list/1/y", 8, 11},
		{"application/yaml", yml, "/b", 9, 4},
		{"application/yaml", yml, "/b/rps", 3, 8},
		{"application/yaml", yml, "/a/list/7", 7, 5},
		{"application/yaml", "", "/a", 1, 1},
		{"application/toml", toml, "", 1, 1},
		{"application/toml", toml, "/rps", 1, 7},
		{"application/toml", toml, "/a/b", 2, 7},
		{"application/toml", toml, "/a", 2, 1},
		{"application/toml", toml, "/server", 3, 2},
		{"application/toml", toml, "/server/port", 4, 8},
		{"application/toml", toml, "/server/list/1/1", 5, 16},
		{"application/toml", toml, "/server/list/2/x", 6, 8},
		{"application/toml", toml, "/jobs/1/name", 11, 8},
		{"application/toml", toml, "/jobs/1/env/key", 13, 7},
		{"application/toml", toml, "/jobs/0/missing", 8, 3},
	} {
		place, ok := document.Locate(config.Document{MediaType: c.mediaType, Body: []byte(c.body)}, c.pointer)
		if want := (document.Place{Line: c.line, Column: c.column}); !ok || place != want {
			t.Errorf("%s %q: %+v %t, want %+v", c.mediaType, c.pointer, place, ok, want)
		}
	}
	for mediaType, body := range map[string]string{"application/json": "{", "application/yaml": "a: [", "application/toml": "a = =", "text/plain": "a"} {
		if _, ok := document.Locate(config.Document{MediaType: mediaType, Body: []byte(body)}, "/a"); ok {
			t.Errorf("%s: a place in what cannot be read", mediaType)
		}
	}
}
