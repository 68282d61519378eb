package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/heraldconf/herald/shared/config"
)

var (
	anyName = rapid.Custom(func(t *rapid.T) config.Name {
		return config.Name(rapid.StringMatching(`[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?`).Draw(t, "name"))
	})
	anySpace = rapid.StringOfN(rapid.RuneFrom([]rune(" \t\r\n")), 0, 4, -1)
)

// anyJSON draws a JSON text: numbers, escapes and white space as people write
// them, and as encoding/json would never write them.
func anyJSON(t *rapid.T, depth int) string {
	space := func() string { return anySpace.Draw(t, "space") }
	kinds := 3
	if depth > 0 {
		kinds = 5
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"0", "-0", "1e400", "-1E-999", "1.0", "0.1000", "123456789012345678901234567890", "-0.0e+0"}).Draw(t, "number")
	case 1:
		return rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "word")
	case 2:
		return anyString(t)
	case 3:
		var items []string
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			items = append(items, space()+anyJSON(t, depth-1)+space())
		}
		return "[" + strings.Join(items, ",") + space() + "]"
	}
	var members []string
	for i := range rapid.IntRange(0, 3).Draw(t, "members") {
		key := fmt.Sprintf(`"k%d\u00e9%d"`, i, i)
		members = append(members, space()+key+space()+":"+space()+anyJSON(t, depth-1)+space())
	}
	return "{" + strings.Join(members, ",") + space() + "}"
}

func anyString(t *rapid.T) string {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		`\u0041`, `\ud83d\ude00`, `\ud800`, `\/`, `\"`, `\\`, `\u0000`, `\n`, "é", "😀", "\u2028", "<&>", "}", `{`, ",", ":", "\x7f", " ",
	}), 0, 6).Draw(t, "pieces")
	return `"` + strings.Join(pieces, "") + `"`
}

var anyDocument = rapid.Custom(func(t *rapid.T) config.Document {
	media := rapid.SampledFrom([]string{
		"application/json", "application/problem+json", "text/json", "application/yaml", "application/toml", "text/plain",
		"text/plain; format=flowed", "application/octet-stream", "image/png",
	}).Draw(t, "media type")
	d := config.Document{MediaType: media}
	switch d.Kind() {
	case config.JSON:
		d.Body = []byte(anySpace.Draw(t, "before") + anyJSON(t, 4) + anySpace.Draw(t, "after"))
	case config.Bytes:
		d.Body = rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
	default: // text, with control characters, and with what is not text at all
		d.Body = rapid.OneOf(
			rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) }),
			rapid.SliceOf(rapid.Map(rapid.ByteRange(0, 0x24), func(b byte) byte { return b })),
			rapid.SliceOf(rapid.Byte()),
		).Draw(t, "text")
	}
	return d
})

var anySnapshot = rapid.Custom(func(t *rapid.T) *config.Snapshot {
	names := rapid.SliceOfNDistinct(anyName, 0, 8, rapid.ID[config.Name]).Draw(t, "names")
	revision := config.Revision(rapid.Int64Range(1, 1<<62).Draw(t, "revision"))
	cut := rapid.IntRange(0, len(names)).Draw(t, "deleted from")
	var configs []config.Entry
	var tombstones []config.Tombstone
	for i, name := range names {
		at := config.Revision(rapid.Int64Range(1, int64(revision)).Draw(t, "at"))
		if i < cut {
			configs = append(configs, config.Entry{Name: name, Revision: at, Document: anyDocument.Draw(t, "document")})
		} else {
			tombstones = append(tombstones, config.Tombstone{Name: name, Revision: at})
		}
	}
	at := config.Position{Epoch: config.Epoch(rapid.StringMatching(`[0-9A-Z]{1,26}`).Draw(t, "epoch")), Revision: revision}
	return config.Seal(anyName.Draw(t, "namespace"), at, configs, tombstones)
})

// What is sealed comes out again, byte for byte.
func TestSealThenOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sealed := anySnapshot.Draw(t, "snapshot")
		for _, e := range sealed.Configs {
			if e.Kind() == config.JSON {
				if err := config.CheckJSON(e.Body); err != nil {
					t.Fatalf("the generator makes what is not allowed: %v\n%q", err, e.Body)
				}
			}
		}
		opened, err := config.Open(slices.Clone(sealed.Body))
		if err != nil {
			t.Fatalf("%v\n%q", err, sealed.Body)
		}
		if difference := unlike(sealed, opened); difference != "" {
			t.Fatalf("%s\n%q", difference, sealed.Body)
		}
		if opened.Digest != sealed.Digest || opened.ETag != sealed.ETag || opened.ETag != config.ETagOf(sealed.Body) {
			t.Fatal("the digest or the ETag is another one")
		}
	})
}

// unlike says in what two snapshots differ; nothing where they say the same.
func unlike(a, b *config.Snapshot) string {
	if a.Namespace != b.Namespace || a.Position != b.Position || len(a.Configs) != len(b.Configs) {
		return fmt.Sprintf("%s %v of %d is %s %v of %d", a.Namespace, a.Position, len(a.Configs), b.Namespace, b.Position, len(b.Configs))
	}
	for i, x := range a.Configs {
		y := b.Configs[i]
		if x.Name != y.Name || x.Revision != y.Revision || x.MediaType != y.MediaType || x.ETag != y.ETag || !bytes.Equal(x.Body, y.Body) {
			return fmt.Sprintf("%s at %d, %s %q\nis %s at %d, %s %q", x.Name, x.Revision, x.MediaType, x.Body, y.Name, y.Revision, y.MediaType, y.Body)
		}
	}
	if !slices.Equal(a.Tombstones, b.Tombstones) {
		return fmt.Sprintf("tombstones %v are %v", a.Tombstones, b.Tombstones)
	}
	return ""
}

func TestSealIsOneBodyWhateverTheOrder(t *testing.T) {
	a := config.Entry{Name: "a", Revision: 1, Document: config.Document{MediaType: "application/json", Body: []byte(" {\"x\": 1e400}\n")}}
	b := config.Entry{Name: "b", Revision: 2, Document: config.Document{MediaType: "text/plain", Body: []byte("tab\there \"and\" \\ \x01")}}
	c := config.Entry{Name: "c", Revision: 3, Document: config.Document{MediaType: "image/png", Body: []byte{0xff, 0}}}
	gone := []config.Tombstone{{Name: "z", Revision: 2}, {Name: "y", Revision: 3}}
	at := config.Position{Epoch: "01J", Revision: 3}
	const want = `{"namespace":"payments","epoch":"01J","revision":3,"configs":{` +
		`"a":{"revision":1,"mediaType":"application/json","value": {"x": 1e400}` + "\n" + `},` +
		`"b":{"revision":2,"mediaType":"text/plain","text":"tab\there \"and\" \\ \u0001"},` +
		`"c":{"revision":3,"mediaType":"image/png","base64":"/wA="}},` +
		`"tombstones":{"y":{"revision":3},"z":{"revision":2}}}`
	s := config.Seal("payments", at, []config.Entry{c, a, b}, gone)
	if string(s.Body) != want {
		t.Errorf("got  %s\nwant %s", s.Body, want)
	}
	if e, ok := s.Config("b"); !ok || e.ETag != b.Document.ETag() || e.Revision != 2 {
		t.Errorf("config b: %+v, %v", e, ok)
	}
	if _, ok := s.Config("bb"); ok || !s.Deleted("y") || s.Deleted("a") {
		t.Error("what stands and what is deleted are mixed up")
	}
	if config.DigestOf(s.Body) != s.Digest || s.ETag != config.ETagOf(s.Body) {
		t.Error("digest and ETag are not those of the body")
	}
}

// Mostly control characters would be six times as long as escapes.
func TestSealKeepsTheBodySmall(t *testing.T) {
	text := config.Document{MediaType: "text/plain", Body: bytes.Repeat([]byte{1}, 3000)}
	s := config.Seal("a", config.Position{Epoch: "E", Revision: 1}, []config.Entry{{Name: "a", Revision: 1, Document: text}}, nil)
	if len(s.Body) > 4200 || !bytes.Contains(s.Body, []byte(`"base64"`)) {
		t.Errorf("%d bytes for %d", len(s.Body), len(text.Body))
	}
}

func TestDocumentETagTellsTypesApart(t *testing.T) {
	a := config.Document{MediaType: "text/plain", Body: []byte("1")}
	b := config.Document{MediaType: "application/json", Body: []byte("1")}
	if a.ETag() == b.ETag() || a.ETag() != (config.Document{MediaType: "text/plain", Body: []byte("1")}).ETag() {
		t.Error(a.ETag(), b.ETag())
	}
}

func TestSucceeds(t *testing.T) {
	doc := config.Document{MediaType: "application/json", Body: []byte("{}")}
	at := func(epoch config.Epoch, revision config.Revision, gone []config.Tombstone, names ...config.Name) *config.Snapshot {
		var entries []config.Entry
		for _, name := range names {
			entries = append(entries, config.Entry{Name: name, Revision: 1, Document: doc})
		}
		return config.Seal("payments", config.Position{Epoch: epoch, Revision: revision}, entries, gone)
	}
	held := at("01B", 5, nil, "limits", "motd")
	for name, c := range map[string]struct {
		next *config.Snapshot
		held *config.Snapshot
		want error
	}{
		"nothing held":                {at("01A", 1, nil), nil, nil},
		"the same":                    {held, held, nil},
		"newer":                       {at("01B", 6, nil, "limits", "motd", "new"), held, nil},
		"older":                       {at("01B", 4, nil, "limits", "motd"), held, config.ErrOlder},
		"an older epoch, far ahead":   {at("01A", 999, nil, "limits", "motd"), held, config.ErrOlder},
		"a newer epoch, from the top": {at("01C", 1, nil), held, nil},
		"vanished":                    {at("01B", 6, nil, "limits"), held, config.ErrVanished},
		"vanished at the same":        {at("01B", 5, nil, "limits"), held, config.ErrVanished},
		"deleted":                     {at("01B", 6, []config.Tombstone{{Name: "motd", Revision: 6}}, "limits"), held, nil},
		"another one deleted":         {at("01B", 6, []config.Tombstone{{Name: "motto", Revision: 6}}, "limits"), held, config.ErrVanished},
	} {
		if err := c.next.Succeeds(c.held); !errors.Is(err, c.want) || (c.want == nil && err != nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestPositionsAreOrdered(t *testing.T) {
	order := []config.Position{{}, {Epoch: "01A", Revision: 1}, {Epoch: "01A", Revision: 10}, {Epoch: "01B"}, {Epoch: "01B", Revision: 2}}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%v against %v: %d, want %d", a, b, got, want)
			}
		}
	}
}
