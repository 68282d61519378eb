package config_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/config"
)

// sample is a snapshot with one of everything.
func sample() *config.Snapshot {
	entry := func(name config.Name, mediaType, body string) config.Entry {
		return config.Entry{Name: name, Revision: 2, Document: config.Document{MediaType: mediaType, Body: []byte(body)}}
	}
	return config.Seal("payments", config.Position{Epoch: "01JD", Revision: 42}, []config.Entry{
		entry("limits", "application/json", "\n{\"rps\": 5.0e1, \"a\": [1, {\"b\":null}], \"é\":\"\\u00e9\"} "),
		entry("plain", "application/json", "0"),
		entry("motd", "text/plain", "hello \"you\"\n\x02"),
		entry("logo", "image/png", "\x89PNG\r\n"),
	}, []config.Tombstone{{Name: "old", Revision: 41}})
}

// consistent fails unless what was opened says the same once it is sealed again.
func consistent(t *testing.T, body []byte) (opened bool) {
	t.Helper()
	s, err := config.Open(body)
	if err != nil {
		if s != nil || !errors.Is(err, config.ErrDamaged) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%v, %v of %q", s, err, body)
		}
		return false
	}
	if !bytes.Equal(s.Body, body) || s.Digest != config.DigestOf(body) || s.ETag != config.ETagOf(body) {
		t.Fatalf("body, digest and ETag do not belong together: %q", body)
	}
	again, err := config.Open(config.Seal(s.Namespace, s.Position, slices.Clone(s.Configs), slices.Clone(s.Tombstones)).Body)
	if err != nil {
		t.Fatalf("opens, and not once it is sealed again: %v\n%q", err, body)
	}
	if difference := unlike(s, again); difference != "" {
		t.Fatalf("%s\n%q", difference, body)
	}
	return true
}

func TestOpenRefusesEveryTruncation(t *testing.T) {
	body := sample().Body
	for n := range body {
		if consistent(t, slices.Clone(body[:n])) {
			t.Errorf("opens though cut to %d of %d: %q", n, len(body), body[:n])
		}
	}
	if !consistent(t, body) {
		t.Error("the whole does not open")
	}
}

func TestOpenOfEveryFlip(t *testing.T) {
	body, refused := sample().Body, 0
	for i := range body {
		for bit := range 8 {
			flipped := slices.Clone(body)
			flipped[i] ^= 1 << bit
			if !consistent(t, flipped) {
				refused++
			}
		}
	}
	if refused < len(body) {
		t.Errorf("of %d flips only %d are refused", 8*len(body), refused)
	}
}

func TestOpenRefuses(t *testing.T) {
	const good = `{"namespace":"a","epoch":"E","revision":3,"configs":{"x":{"revision":1,"mediaType":"text/plain","text":"t"}},"tombstones":{"z":{"revision":2}}}`
	if !consistent(t, []byte(good)) {
		t.Fatal("the good one does not open")
	}
	for name, change := range map[string][2]string{
		"no namespace":             {`"namespace":"a",`, ``},
		"bad namespace":            {`"a"`, `"A"`},
		"namespace twice":          {`"epoch"`, `"namespace":"a","epoch"`},
		"namespace in capitals":    {`"namespace"`, `"Namespace"`},
		"no epoch":                 {`"epoch":"E",`, ``},
		"null epoch":               {`"E"`, `null`},
		"an epoch of two lines":    {`"E"`, `"E\nF"`},
		"an endless epoch":         {`"E"`, `"` + strings.Repeat("E", 65) + `"`},
		"no revision":              {`"revision":3,`, ``},
		"revision 0":               {`"revision":3`, `"revision":0`},
		"a broken revision":        {`"revision":3`, `"revision":3.5`},
		"a revision too large":     {`"revision":3`, `"revision":9223372036854775808`},
		"revision as text":         {`"revision":3`, `"revision":"3"`},
		"configs as a list":        {`"configs":{`, `"configs":[`},
		"configs twice":            {`"tombstones"`, `"configs":{},"tombstones"`},
		"a config of tomorrow":     {`"revision":1`, `"revision":4`},
		"a config before all":      {`"revision":1`, `"revision":-1`},
		"a config's null revision": {`"revision":1`, `"revision":null`},
		"bad config name":          {`"x"`, `"../x"`},
		"no media type":            {`"mediaType":"text/plain",`, ``},
		"no document":              {`,"text":"t"`, ``},
		"two documents":            {`"text":"t"`, `"text":"t","base64":""`},
		"null for a text":          {`"text":"t"`, `"text":null`},
		"null for bytes":           {`"text":"t"`, `"base64":null`},
		"bad base64":               {`"text":"t"`, `"base64":"???"`},
		"text as a value":          {`"text":"t"`, `"value":"t"`},
		"JSON as text":             {`text/plain`, `application/json`},
		"stands and is deleted":    {`"z"`, `"x"`},
		"a tombstone of tomorrow":  {`"z":{"revision":2}`, `"z":{"revision":4}`},
		"a tombstone's two":        {`"z":{"revision":2}`, `"z":{"revision":2,"revision":1}`},
		"a tombstone's case":       {`"z":{"revision":2}`, `"z":{"revision":2},"z":{}`},
		"tombstones out of order":  {`"z":{"revision":2}`, `"z":{"revision":2},"y":{"revision":2}`},
		"configs out of order":     {`"configs":{`, `"configs":{"y":{"revision":1,"mediaType":"text/plain","text":""},`},
		"a brace too many":         {`}}}`, `}}}}`},
		"a bracket too many":       {`}}}`, `}}}]`},
		"another one behind":       {`}}}`, `}}}{}`},
		"not UTF-8":                {`"t"`, "\"\xff\""},
		"a member not UTF-8":       {`"epoch"`, "\"later\":\"\xff\",\"epoch\""},
		"not an object":            {good, `[]`},
		"nothing":                  {good, ``},
		"null":                     {good, `null`},
	} {
		body := strings.Replace(good, change[0], change[1], 1)
		if body == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if consistent(t, []byte(body)) {
			t.Errorf("%s opens: %s", name, body)
		}
	}
}

// A later version may add members, and others may write with white space.
func TestOpenTakesWhatItDoesNotKnow(t *testing.T) {
	const body = ` { "later": {"a":[1,{}]}, "namespace" : "a", "epoch":"E", "revision": 3, "configs" : {
		"x" : { "owner":"me", "value"	:
  {"k": [1,2]}
 , "revision":1 , "mediaType":"application/json"},
		"y":{"mediaType":"application/ld+json","value":1e400 ,"revision":2}
	}, "tombstones":{"z":{"revision":2,"by":"me"}}}
`
	s, err := config.Open([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	x, _ := s.Config("x")
	if want := "\n  {\"k\": [1,2]}\n "; string(x.Body) != want || x.Revision != 1 {
		t.Errorf("%q at %d, want %q", x.Body, x.Revision, want)
	}
	if y, _ := s.Config("y"); string(y.Body) != "1e400 " {
		t.Errorf("%q", y.Body)
	}
	if !s.Deleted("z") || len(s.Configs) != 2 {
		t.Errorf("%+v", s)
	}
}

// Who appends to a document must not write into its neighbour.
func TestOpenedDocumentsDoNotGrowIntoEachOther(t *testing.T) {
	s, err := config.Open(sample().Body)
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(s.Body)
	for _, e := range s.Configs {
		_ = append(e.Body, "overwritten"...)
	}
	if !bytes.Equal(before, s.Body) {
		t.Errorf("%q", s.Body)
	}
}

func FuzzOpen(f *testing.F) {
	body := sample().Body
	f.Add(body)
	f.Add(body[:len(body)-2])
	f.Add([]byte(`{"namespace":"a","epoch":"E","revision":1,"configs":{},"tombstones":{}}]`))
	f.Add([]byte(`{"namespace":"a","epoch":"E","revision":1,"configs":{"x":{"mediaType":"a+json","value": 1 , "revision":1}}}`))
	f.Add([]byte(`{"namespace":"a","epoch":"E","revision":1,"configs":{"x":{"mediaType":"t","text":"\ud800","revision":null}}}`))
	f.Fuzz(func(t *testing.T, body []byte) { consistent(t, body) })
}
