package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/schema"
)

const limits = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["rps"],
	"properties":{"rps":{"type":"integer","minimum":1},"mode":{"enum":["soft","hard"]},"since":{"format":"date-time"},
	"hosts":{"type":"array","items":{"type":"string"},"uniqueItems":true}},"additionalProperties":false}`

func compile(t testing.TB, body string, others ...string) *schema.Schema {
	t.Helper()
	s, err := compiled(body, others...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compiled compiles a schema called it beside others called s0, s1 …
func compiled(body string, others ...string) (*schema.Schema, error) {
	all := map[config.Name][]byte{"it": []byte(body)}
	for i, other := range others {
		all[config.Name(fmt.Sprintf("s%d", i))] = []byte(other)
	}
	return schema.Compile("it", all)
}

// faults expects a refusal with that sentinel, and returns it as one line a place.
func faults(t testing.TB, err, sentinel error) string {
	t.Helper()
	faulty, ok := errors.AsType[*config.FaultyDocument](err)
	if !errors.Is(err, sentinel) || !ok || len(faulty.Faults) == 0 {
		t.Fatalf("got %v, want places of %v", err, sentinel)
	}
	var lines []string
	for _, fault := range faulty.Faults {
		lines = append(lines, fault.Path+" "+fault.Message)
	}
	return strings.Join(lines, "\n")
}

func TestViolations(t *testing.T) {
	s := compile(t, limits)
	for name, c := range map[string]struct{ mediaType, body, want string }{
		"all is well":           {"application/json", `{"rps":50,"mode":"soft","since":"2026-01-02T03:04:05Z"}`, ""},
		"1.0 is an integer":     {"application/json", `{"rps":1.0}`, ""},
		"a type":                {"application/json", `{"rps":"50"}`, "/rps is a string, and must be an integer"},
		"a bound":               {"application/json", `{"rps":0}`, "/rps minimum: got 0, want 1"},
		"something is missing":  {"application/json", `{}`, " missing property 'rps'"},
		"something is too much": {"application/json", `{"rps":1,"a/b":1}`, "/a~1b is not known here"},
		"an enum":               {"application/json", `{"rps":1,"mode":"x"}`, "/mode value must be one of 'soft', 'hard'"},
		"a format":              {"application/json", `{"rps":1,"since":"now"}`, `/since "now" is not valid date-time`},
		"two places":            {"application/json", `{"rps":"x","mode":1}`, "/mode value must be one of 'soft', 'hard'\n/rps is a string, and must be an integer"},
		"an element":            {"application/json", `{"rps":1,"hosts":["a",2]}`, "/hosts/1 is a number, and must be a string"},
		"twins":                 {"application/json", `{"rps":1,"hosts":["a","a"]}`, "/hosts items at 0 and 1 are equal"},
		"yaml":                  {"application/yaml", "rps: 50\nsince: 2026-01-02T03:04:05Z\nhosts: [a, b]\n", ""},
		"bad yaml":              {"application/yaml", "rps: fifty\n", "/rps is a string, and must be an integer"},
		"toml":                  {"application/toml", "rps = 50\nsince = 2026-01-02T03:04:05Z\nhosts = [\"a\"]\n", ""},
		"bad toml":              {"application/toml", "rps = 0.5\n", "/rps is a number, and must be an integer"},
		"text":                  {"text/plain", "rps = 50", "not JSON, YAML or TOML: text/plain"},
		"bytes":                 {"application/octet-stream", "\x00", "not JSON, YAML or TOML"},
		"no JSON at all":        {"application/json", `{`, "invalid JSON: the document ends too early"},
		"infinite":              {"application/yaml", "rps: .inf\n", "/rps not to be said in JSON: .inf is no number"},
		"astronomical":          {"application/json", `{"rps":1e1000000000}`, "/rps not to be said in JSON: a number of more than 400 digits"},
		"several documents":     {"application/yaml", "rps: 1\n---\nrps: 2\n", "several documents"},
		"an empty document":     {"application/yaml", "", " is null, and must be an object"},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Check(config.Document{MediaType: c.mediaType, Body: []byte(c.body)})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := faults(t, err, schema.ErrViolated); !strings.Contains(got, c.want) {
				t.Errorf("%q does not say %q", got, c.want)
			}
		})
	}
}

func TestDrafts(t *testing.T) {
	for uri, body := range map[string]string{
		"http://json-schema.org/draft-04/schema#":      `"minimum":1,"exclusiveMinimum":true`,
		"http://json-schema.org/draft-06/schema#":      `"exclusiveMinimum":1`,
		"http://json-schema.org/draft-07/schema#":      `"if":{"type":"integer"},"then":{"exclusiveMinimum":1}`,
		"https://json-schema.org/draft/2019-09/schema": `"$defs":{"n":{"exclusiveMinimum":1}},"$ref":"#/$defs/n"`,
		"https://json-schema.org/draft/2020-12/schema": `"$defs":{"n":{"$anchor":"n","exclusiveMinimum":1}},"$ref":"#n"`,
	} {
		s := compile(t, `{"$schema":"`+uri+`",`+body+`}`)
		for number, good := range map[string]bool{"1": false, "2": true} {
			if err := s.Check(config.Document{MediaType: "application/json", Body: []byte(number)}); (err == nil) != good {
				t.Errorf("%s: %s: %v", uri, number, err)
			}
		}
		format := compile(t, `{"$schema":"`+uri+`","format":"ipv4"}`)
		if format.Check(config.Document{MediaType: "application/json", Body: []byte(`"nowhere"`)}) == nil {
			t.Errorf("%s: formats are not asserted", uri)
		}
	}
}

func TestNothingIsFetched(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		others []string
		want   string // "" for one that compiles
	}{
		"by http":           {`{"$ref":"https://example.com/other.json"}`, nil, "https://example.com/other.json"},
		"from a disk":       {`{"$ref":"file:///etc/passwd"}`, nil, "file:///etc/passwd"},
		"a dialect":         {`{"$schema":"https://example.com/dialect"}`, nil, "https://example.com/dialect"},
		"an old draft":      {`{"$schema":"http://json-schema.org/draft-03/schema#"}`, nil, "draft-03"},
		"relative to an id": {`{"$id":"https://example.com/a","$ref":"b"}`, nil, "https://example.com/b"},
		"by name":           {`{"$ref":"s1"}`, []string{`true`}, `"s1"`},
		"stored by id":      {`{"$ref":"https://example.com/other.json#/$defs/n"}`, []string{`{"$id":"https://example.com/other.json","$defs":{"n":{"type":"integer"}}}`}, ""},
		"stored by name":    {`{"$ref":"s0"}`, []string{`{"type":"integer"}`}, ""},
		"twins that agree":  {`{"$ref":"https://e.x/t"}`, []string{`{"$id":"https://e.x/t","type":"integer"}`, `{"type":"integer","$id":"https://e.x/t"}`}, ""},
		"and that do not":   {`{"$ref":"https://e.x/t"}`, []string{`{"$id":"https://e.x/t"}`, `{"$id":"https://e.x/t","type":"integer"}`}, "s0 and s1 have the same $id"},
		"the meta-schema":   {`{"anyOf":[{"type":"integer"},{"$ref":"http://json-schema.org/draft-07/schema#"}],"not":{"type":"string"}}`, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := compiled(c.body, c.others...)
			if c.want != "" {
				if got := faults(t, err, schema.ErrInvalid); !strings.Contains(got, c.want) {
					t.Errorf("%q does not name %q", got, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Check(config.Document{MediaType: "application/json", Body: []byte(`"x"`)}) == nil {
				t.Error("what it refers to is not asked")
			}
			if got := fmt.Sprint(s.Uses()); len(c.others) == 1 && got != "[it s0]" {
				t.Errorf("uses %s", got)
			}
		})
	}
}

func TestInvalidSchemas(t *testing.T) {
	for name, c := range map[string][2]string{
		"no JSON":           {`{`, "ends too early"},
		"doubled members":   {`{"type":"object","type":"array"}`, "/type"},
		"no schema":         {`"object"`, ""},
		"an unknown type":   {`{"properties":{"a":{"type":"int"}}}`, "/properties/a/type"},
		"a bad bound":       {`{"minLength":-1}`, "/minLength"},
		"a ref to nowhere":  {`{"$ref":"#/$defs/nowhere"}`, "nowhere"},
		"looking ahead":     {`{"properties":{"a b":{"pattern":"^(?!x)"}}}`, `/properties/a b/pattern "^(?!x)" is not valid regex`},
		"a member's name":   {`{"$schema":"http://json-schema.org/draft-04/schema#","patternProperties":{"(?!x)":{}}}`, `/patternProperties the pattern "(?!x)"`},
		"a long pattern":    {`{"pattern":"` + strings.Repeat("a", 9000) + `"}`, "at most 8192 bytes"},
		"too many parts":    {`{"enum":[` + strings.Repeat("{},", 10_001) + `{}]}`, "10000 objects"},
		"a colossal number": {`{"minimum":1e999999999}`, "/minimum"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compiled(c[0])
			if got := faults(t, err, schema.ErrInvalid); !strings.Contains(got, c[1]) {
				t.Errorf("%q does not say %q", got, c[1])
			}
		})
	}
}

// TestTheCostIsBounded gives what would take hours, and has to be through soon.
func TestTheCostIsBounded(t *testing.T) {
	var tower strings.Builder // each floor asks twice for the one below
	tower.WriteString(`{"$ref":"#/$defs/f40","$defs":{"f0":{"type":"integer"}`)
	for i := range 40 {
		fmt.Fprintf(&tower, `,"f%d":{"allOf":[{"$ref":"#/$defs/f%d"},{"$ref":"#/$defs/f%d"}]}`, i+1, i, i)
	}
	tower.WriteString(`}}`)
	enum := `{"items":{"enum":[0.5` + strings.Repeat(`,1e399`, 100_000) + `]}}`
	text := strings.Repeat("a", 256<<10)
	for name, c := range map[string]struct {
		schema, body string
		refused      bool
	}{
		"a tower":         {tower.String(), `1`, true},
		"a nasty pattern": {`{"pattern":"^((a|aa|aaa){1,100}b?){5}$"}`, `"` + text + `"`, true},
		"a plain pattern": {`{"pattern":"^[a-z]+$"}`, `"` + text + `"`, false},
		"a long enum":     {enum, `[0.5` + strings.Repeat(`,0.5`, 100_000) + `]`, false},
		"many elements":   {`{"items":{"type":"integer","minimum":0},"uniqueItems":false}`, `[0` + strings.Repeat(`,1`, 100_000) + `]`, false},
		"many twins":      {`{"uniqueItems":true}`, `[` + numbers(100_000) + `]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := compile(t, c.schema)
			began := time.Now()
			err := s.Check(config.Document{MediaType: "application/json", Body: []byte(c.body)})
			t.Logf("%s: %v", time.Since(began).Round(time.Millisecond), err)
			if (err != nil) != c.refused {
				t.Fatal("a wrong verdict")
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			if c.refused && !strings.Contains(faults(t, err, schema.ErrViolated), "too long") {
				t.Error(err)
			}
			if name != "a tower" && s.Check(config.Document{MediaType: "application/json", Body: []byte(`1`)}) != nil {
				t.Error("a schema that once was too costly refuses all that follows")
			}
		})
	}
}

func numbers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return strings.Join(all, ",")
}

func TestALongEnumIsAsStrictAsAShortOne(t *testing.T) {
	for name, members := range map[string]string{"short": `1, "1", {"a":[1.50]}`, "long": `1, "1", {"a":[1.50]}, 2,3,4,5,6,7,8,9,10`} {
		s := compile(t, `{"items":{"enum":[`+members+`]}}`)
		for body, good := range map[string]bool{`[1,1.0,"1",{"a":[15e-1]}]`: true, `["2"]`: false, `[true]`: false, `[{"a":["1.5"]}]`: false, `[{"a":[1.5],"b":0}]`: false} {
			if err := s.Check(config.Document{MediaType: "application/json", Body: []byte(body)}); (err == nil) != good {
				t.Errorf("%s: %s: %v", name, body, err)
			}
		}
	}
}

func TestAlternatives(t *testing.T) {
	s := compile(t, `{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"object","required":["x"]}]},"b":{"oneOf":[{"type":"string"},{"type":"null"}]},"c":{"oneOf":[{},true]}}}`)
	for body, want := range map[string]string{
		`{"a":{}}`: "/a missing property 'x'", // the object was meant
		`{"a":1}`:  "/a fits none of the alternatives: is a number, and must be a string; is a number, and must be an object",
		`{"b":1}`:  "/b fits none of the alternatives",
		`{"c":1}`:  "/c ",
	} {
		err := s.Check(config.Document{MediaType: "application/json", Body: []byte(body)})
		if got := faults(t, err, schema.ErrViolated); !strings.Contains(got, want) {
			t.Errorf("%s: %q does not say %q", body, got, want)
		}
	}
}

func TestManyFaultsAreNotAllTold(t *testing.T) {
	s := compile(t, `{"items":{"type":"string"}}`)
	got := faults(t, s.Check(config.Document{MediaType: "application/json", Body: []byte(`[` + numbers(1000) + `]`)}), schema.ErrViolated)
	if lines := strings.Split(got, "\n"); len(lines) != 51 || lines[50] != " and 950 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestSeveralAtOnce(t *testing.T) {
	s := compile(t, limits)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				body := fmt.Sprintf(`{"rps":%d}`, i)
				if err := s.Check(config.Document{MediaType: "application/json", Body: []byte(body)}); (err == nil) != (i > 0) {
					t.Errorf("%s: %v", body, err)
				}
			}
		})
	}
	all.Wait()
}

func TestPatternsOfJavaScript(t *testing.T) {
	for pattern, c := range map[string][2]string{ // what matches, and what does not
		`^\\u0061\\u{62}$`:     {"ab", "u0061b"},
		`^[\\w-.]+$`:           {"a-b.c", "a b"},
		`^[^]$`:                {"\\n", ""},
		`^x[]?$`:               {"x", "xy"},
		`^\\d+\\/\\d+$`:        {"1/2", "1-2"},
		`^\\s$`:                {"\\u2003", "x"},
		`^[\\s]$`:              {"\\ufeff", "x"},
		`^\\S$`:                {"x", "\\u2003"},
		`^\\cJ$`:               {"\\n", "J"},
		`^[[]$`:                {"[", "]"},
		`^(?<year>\\d{4})\\-$`: {"2026-", "2026"},
	} {
		s := compile(t, `{"pattern":"`+pattern+`"}`)
		for i, text := range c {
			if err := s.Check(config.Document{MediaType: "application/json", Body: []byte(`"` + text + `"`)}); (err == nil) != (i == 0) {
				t.Errorf("%s on %q: %v", pattern, text, err)
			}
		}
	}
}

// FuzzSchema: any bytes as a schema, any as a document: both are through soon, and
// what is refused says so with its own sentinel.
func FuzzSchema(f *testing.F) {
	for _, body := range []string{limits, `true`, `{"$ref":"#"}`, `{"allOf":[{"$ref":"#"},{"$ref":"#"}]}`, `{"$id":"x","$ref":"y"}`, `{"pattern":"(a*)*$"}`,
		`{"$schema":"http://json-schema.org/draft-04/schema#","id":"a","properties":{"":{"dependencies":{"a":["b"]}}}}`, `{"unevaluatedItems":false,"prefixItems":[{}]}`} {
		f.Add([]byte(body), []byte(`{"rps":1,"a":[1,"x",{}]}`))
	}
	f.Fuzz(func(t *testing.T, body, document []byte) {
		if len(body)+len(document) > 8<<10 {
			return
		}
		began := time.Now()
		s, err := schema.Compile("it", map[config.Name][]byte{"it": body})
		if err != nil {
			faults(t, err, schema.ErrInvalid)
		} else if err := s.Check(config.Document{MediaType: "application/json", Body: document}); err != nil {
			faults(t, err, schema.ErrViolated)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Fatalf("it took %s", took)
		}
	})
}
