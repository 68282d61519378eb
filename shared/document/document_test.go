package document_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
)

// bomb is the billion laughs as YAML: ten short lines that stand for 10^9 values.
var bomb = func() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := byte('1'); i <= '9'; i++ {
		before := "*a" + string(i-1)
		text.WriteString("a" + string(i) + ": &a" + string(i) + " [" + strings.Repeat(before+",", 9) + before + "]\n")
	}
	return text.String()
}()

// tower is aliases on aliases, each a level deeper: few values, much depth.
var tower = func() string {
	var text strings.Builder
	text.WriteString("- &n0 [x]\n")
	for i := range 200 {
		text.WriteString("- &n" + strconv.Itoa(i+1) + " [*n" + strconv.Itoa(i) + "]\n")
	}
	return text.String()
}()

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, mediaType, body string
		want                  error
		says                  string
	}{
		{"json", "application/json", ` {"rps": 50} `, nil, ""},
		{"json with a suffix", "application/problem+json", `{"a":1,"a":2}`, config.ErrInvalidJSON, "/a"},
		{"empty json", "application/json", ``, config.ErrInvalidJSON, "too early"},
		{"yaml", "application/yaml", "a: 1\nb: [x, y]\n", nil, ""},
		{"empty yaml", "application/yaml", "", nil, ""},
		{"yaml of several documents", "text/yaml", "a: 1\n---\nb: 2\n", nil, ""},
		{"yaml, the second document broken", "text/yaml", "a: 1\n---\nb: [2\n", document.ErrInvalidYAML, "line"},
		{"yaml with a tab", "application/yaml", "a:\n\tb: 1\n", document.ErrInvalidYAML, "line 2"},
		{"yaml with a doubled key", "application/yaml", "a: 1\nb: 2\na: 3\n", document.ErrInvalidYAML, `"a" stands twice in its mapping, line 3`},
		{"yaml with a doubled key below", "x/y+yaml", "a:\n  - {k: 1, k: 2}\n", document.ErrInvalidYAML, "line 2"},
		{"yaml with a key doubled by an alias", "application/yaml", "&k a: 1\n*k : 2\n", document.ErrInvalidYAML, "twice"},
		{"yaml with keys of two types", "application/yaml", "1: a\n\"1\": b\n", nil, ""},
		{"yaml with a list as key", "application/yaml", "? [a]\n: 1\n? [b]\n: 2\n", nil, ""},
		{"yaml with an alias", "application/yaml", "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n", nil, ""},
		{"yaml with an alias that is nowhere", "application/yaml", "a: *x\n", document.ErrInvalidYAML, "unknown anchor"},
		{"yaml that stands for itself", "application/yaml", "a: &x [*x]\n", document.ErrInvalidYAML, "stands for itself"},
		{"yaml bomb", "application/yaml", bomb, document.ErrInvalidYAML, "more than 1048576 values"},
		{"yaml tower", "application/yaml", tower, document.ErrInvalidYAML, "nested deeper than 128"},
		{"yaml, deep", "application/yaml", strings.Repeat("[", 128) + strings.Repeat("]", 128), nil, ""},
		{"yaml, too deep", "application/yaml", strings.Repeat("[", 200) + strings.Repeat("]", 200), document.ErrInvalidYAML, "nested deeper"},
		{"yaml that is not UTF-8", "application/yaml", "a: \xff\n", document.ErrInvalidYAML, "not UTF-8"},
		{"toml", "application/toml", "a = 1\n[b]\nc = 2024-01-01\n", nil, ""},
		{"empty toml", "application/toml", "", nil, ""},
		{"toml, broken", "text/toml", "a = 1\nb = = 2\n", document.ErrInvalidTOML, "line 2"},
		{"toml with a doubled key", "application/toml", "a = 1\na = 2\n", document.ErrInvalidTOML, "line 2"},
		{"toml, far too deep", "x/y+toml", "a = " + strings.Repeat("[", 100_000), document.ErrInvalidTOML, "nested"},
		{"toml that is not UTF-8", "application/toml", "a = \"\xff\"\n", document.ErrInvalidTOML, ""},
		{"text", "text/plain", "héllo\x00\n", nil, ""},
		{"text that is not UTF-8", "text/html", "\xff", document.ErrInvalidText, "octet-stream"},
		{"bytes", "application/octet-stream", "\xff\x00", nil, ""},
		{"an image", "image/png", "\x89PNG", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := document.Check(config.Document{MediaType: c.mediaType, Body: []byte(c.body)})
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil {
				return
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
			if faulty, ok := errors.AsType[*config.FaultyDocument](err); !ok || len(faulty.Faults) == 0 {
				t.Errorf("%v names no place", err)
			}
		})
	}
}

// fuzz holds what must be true of any bytes: a check ends, says the same twice,
// leaves the document as it is, and fails with its own sentinel alone.
func fuzz(f *testing.F, mediaType string, sentinel error, seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 64<<10 {
			return
		}
		before := string(body)
		d := config.Document{MediaType: mediaType, Body: body}
		first, second := document.Check(d), document.Check(d)
		if string(body) != before {
			t.Fatal("the document was changed")
		}
		if (first == nil) != (second == nil) {
			t.Fatalf("%v, then %v", first, second)
		}
		if first != nil && !errors.Is(first, sentinel) {
			t.Fatalf("%v is no %v", first, sentinel)
		}
		if _, err := document.Value(d); (err == nil) != (first == nil) && !errors.Is(err, document.ErrNoMeaning) {
			t.Fatalf("checked with %v, read with %v", first, err)
		}
		if _, ok := document.Locate(d, "/a/0/b"); first == nil && !ok {
			t.Fatal("no place in a document that can be read")
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzz(f, "application/json", config.ErrInvalidJSON, `{"a":[1,{"b":null}]}`, `{"a":1,"a":2}`, `[[[[`, "\xff")
}

func FuzzYAML(f *testing.F) {
	fuzz(f, "application/yaml", document.ErrInvalidYAML, "a: &x [1]\nb: *x\n", bomb, "a: 1\n---\n!!set {x}\n", "? [a]\n: <<: *b", "&x [*x]")
}

func FuzzTOML(f *testing.F) {
	fuzz(f, "application/toml", document.ErrInvalidTOML, "a = 1\n[b.c]\nd = [[1], {x = 1}]\n", "a = 1\na = 2\n", "[[x]]\n[[x]]\ny = 1979-05-27T07:32:00Z\n")
}
