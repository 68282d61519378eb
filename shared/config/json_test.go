package config_test

import (
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/heraldconf/herald/shared/config"
)

func TestCheckJSONTakes(t *testing.T) {
	for _, body := range []string{
		"0", "-0", " \t\r\n1e400\n", "-1.50E-7", `"\ud800"`, `"é\u0000"`, "null", "[]", "{}", `[[],{},""]`,
		`{"a":{"a":{"a":1}},"b":{"a":1}}`, `{"a":1,"A":2,"":3}`, "\"\x7f\u2028\"",
		strings.Repeat("[", config.MaxDepth) + strings.Repeat("]", config.MaxDepth),
		strings.Repeat(`{"a":`, config.MaxDepth) + "1" + strings.Repeat("}", config.MaxDepth),
	} {
		if err := config.CheckJSON([]byte(body)); err != nil {
			t.Errorf("%.60q: %v", body, err)
		}
	}
}

func TestCheckJSONRefuses(t *testing.T) {
	const (
		early     = "the document ends too early"
		behind    = "something stands behind the end of the value"
		twice     = "this key stands twice in its object"
		deep      = "nested deeper than 128"
		character = "invalid character "
	)
	for _, c := range []struct{ body, path, message, where string }{
		{"", "", early, "line 1, column 1"},
		{" \n ", "", early, "line 2, column 2"},
		{`{"a":`, "/a", early, "line 1, column 6"},
		{`[1,`, "/1", early, "line 1, column 4"},
		{`"ab`, "", early, "line 1, column 4"},
		{`{"a":1,"b":2,"a":3}`, "/a", twice, "line 1, column 14"},
		{"{\"a\":1,\n  \"\\u0061\" : 2}", "/a", twice, "line 2, column 3"},
		{"[0,{\"x\": [{\"k\":1,\r\n\t\"ä\":1, \"ä\" :2}]}]", "/1/x/0/ä", twice, "line 2, column 9"},
		{`{"a/b~c":{"":1,"":2}}`, "/a~1b~0c/", twice, "line 1, column 16"},
		{"{} {}", "", behind, "line 1, column 4"},
		{"1\n\n x", "", behind, "line 3, column 2"},
		{"01", "", behind, "line 1, column 2"},
		{"{}}", "", behind, "line 1, column 3"},
		{"[1,,2]", "/1", character, "line 1, column 4"},
		{"[1,]", "/1", character, "line 1, column 4"},
		{`{"a":1,}`, "", character, "line 1, column 8"},
		{`{"a" 1}`, "/a", character, "line 1, column 6"},
		{`{a:1}`, "", character, "line 1, column 2"},
		{`{"ä": tru}`, "/ä", character, "line 1, column 7"},
		{`[NaN]`, "/0", character, "line 1, column 2"},
		{`['x']`, "/0", character, "line 1, column 2"},
		{"{\"a\": // why\n1}", "/a", character, "line 1, column 7"},
		{"\"a\x01b\"", "", character, "line 1, column 1"},
		{`"\x"`, "", character, "line 1, column 1"},
		{`[}`, "", character, "line 1, column 2"},
		{"\ufeff{}", "", "a byte order mark", "line 1, column 1"},
		{"{\"a\":\n \"\xff\"}", "", "not UTF-8", "line 2, column 3"},
		{"\xed\xa0\x80", "", "not UTF-8", "line 1, column 1"},
		{strings.Repeat("[", 129), strings.Repeat("/0", 128), deep, "line 1, column 129"},
		{strings.Repeat("[", 1<<20), strings.Repeat("/0", 128), deep, "line 1, column 129"},
		{strings.Repeat(`{"a":`, 129), strings.Repeat("/a", 128), deep, "line 1, column 641"},
	} {
		err := config.CheckJSON([]byte(c.body))
		faulty, ok := errors.AsType[*config.FaultyDocument](err)
		if !ok || !errors.Is(err, config.ErrInvalidJSON) || len(faulty.Faults) != 1 {
			t.Errorf("%.60q: %v", c.body, err)
			continue
		}
		fault := faulty.Faults[0]
		if fault.Path != c.path || !strings.HasPrefix(fault.Message, c.message) || !strings.HasSuffix(fault.Message, ", "+c.where) {
			t.Errorf("%.60q: %.200q %q, want %.200q %q %q", c.body, fault.Path, fault.Message, c.path, c.message, c.where)
		}
		if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "invalid JSON: ") || !strings.Contains(text, fault.Message) {
			t.Errorf("%.60q: %q", c.body, text)
		}
	}
}

// A key as long as the document must not make the answer, or the log, as long.
func TestCheckJSONNamesLongPathsByWhatIsAround(t *testing.T) {
	long := strings.Repeat("k", 1<<19)
	err := config.CheckJSON([]byte(`{"a":{"` + long + `":{"b":tru}}}`))
	faulty, ok := errors.AsType[*config.FaultyDocument](err)
	if !ok || faulty.Faults[0].Path != "/a" || !strings.HasSuffix(faulty.Faults[0].Message, "line 1, column 524303") {
		t.Errorf("%.300v", err)
	}
}

// What a document of a megabyte costs, beside what is thrown away at once.
func TestCheckJSONKeepsLittle(t *testing.T) {
	for name, body := range map[string]string{
		"braces":      "[" + strings.Repeat("{},", 1<<20/3-1) + "{}]",
		"brackets":    "[" + strings.Repeat("[],", 1<<20/3-1) + "[]]",
		"a string":    `"` + strings.Repeat("x", 1<<20-2) + `"`,
		"escapes":     `"` + strings.Repeat(`\u0041`, 1<<20/6) + `"`,
		"a key":       `{"` + strings.Repeat("k", 1<<20-8) + `":1}`,
		"open braces": strings.Repeat("{", 1<<20),
		"a number":    strings.Repeat("1", 1<<20),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := config.CheckJSON([]byte(body))
		runtime.ReadMemStats(&after)
		if (err == nil) == (name == "open braces") {
			t.Errorf("%s: %v", name, err)
		}
		if total := after.TotalAlloc - before.TotalAlloc; total > 24<<20 {
			t.Errorf("%s: %d bytes were allocated, all told", name, total)
		}
	}
}

// unambiguous is what CheckJSON is for, said in another way: a recursive reader
// of what encoding/json takes for valid.
func unambiguous(body []byte) bool {
	if !utf8.Valid(body) || !json.Valid(body) {
		return false
	}
	var walk func(raw json.RawMessage, depth int) bool
	walk = func(raw json.RawMessage, depth int) bool {
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		token, err := dec.Token()
		if _, composed := token.(json.Delim); err != nil || !composed {
			return !errors.Is(err, io.EOF)
		}
		if depth == config.MaxDepth {
			return false
		}
		keys := map[string]bool{}
		for dec.More() {
			if token == json.Delim('{') {
				key, _ := dec.Token()
				if keys[key.(string)] {
					return false
				}
				keys[key.(string)] = true
			}
			var inner json.RawMessage
			if dec.Decode(&inner) != nil || !walk(inner, depth+1) {
				return false
			}
		}
		return true
	}
	return walk(body, 0)
}

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{
		"", "1e400", " {\"a\":[1,2,{\"b\":null}]}\n", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, "[1,,2]", "{}}", "01", "\ufeff{}", "\xff",
		`{"a":[{"b":[tru`, `"\ud800"`, `{"\ud800":1,"\udfff":2}`, strings.Repeat("[", 129) + strings.Repeat("]", 129),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := config.CheckJSON(body)
		if want := unambiguous(body); (err == nil) != want {
			t.Fatalf("%q: %v, want taken: %v", body, err, want)
		}
		if err != nil && !errors.Is(err, config.ErrInvalidJSON) {
			t.Fatalf("%q: %v", body, err)
		}
	})
}
