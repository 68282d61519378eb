package config_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/heraldconf/herald/shared/config"
)

func TestParseETag(t *testing.T) {
	for header, want := range map[string]config.ETag{
		`"k3x"`: "k3x", `  "k3x" `: "k3x", `"k3x-gzip"`: "k3x", `"k3x-zstd"`: "k3x", `"k3x-dcz"`: "k3x",
		`"a,b"`: "a,b", `"*"`: "*", `"k3x-br"`: "k3x-br", `"-gzip"`: "-gzip", `"k-zstd-gzip"`: "k-zstd",
		`"` + strings.Repeat("k", 198) + `"`: config.ETag(strings.Repeat("k", 198)),
		``:                                   "", `k3x`: "", `"k3x`: "", `k3x"`: "", `""`: "", `"`: "", `W/"k3x"`: "", `"a b"`: "", `"a"b"`: "", `*`: "",
		"\"a\x7f\"": "", "\"ä\"": "", "\"a\nb\"": "", `"` + strings.Repeat("k", 199) + `"`: "",
	} {
		got, ok := config.ParseETag(header)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", header, got, ok, want)
		}
	}
}

func TestParseETags(t *testing.T) {
	for _, c := range []struct {
		headers []string
		tags    []config.ETag
		any     bool
	}{
		{nil, nil, false},
		{[]string{""}, nil, false},
		{[]string{`"a"`}, []config.ETag{"a"}, false},
		{[]string{`"a", "b-gzip" ,"c"`, `"d"`}, []config.ETag{"a", "b", "c", "d"}, false},
		{[]string{`W/"a", "b"`}, []config.ETag{"b"}, false},
		{[]string{`W/"a,b", "c"`}, []config.ETag{"c"}, false},
		{[]string{`"a,b","c"`}, []config.ETag{"a,b", "c"}, false},
		{[]string{"*"}, nil, true},
		{[]string{" * "}, nil, true},
		{[]string{`"a"`, "*"}, nil, true},
		{[]string{`"*"`}, []config.ETag{"*"}, false},
		{[]string{`"a,*,b"`}, []config.ETag{"a,*,b"}, false},
		{[]string{`W/"a,*,b"`}, nil, false},
		{[]string{`,, "a" ,,`}, []config.ETag{"a"}, false},
		{[]string{`"a`, `"b"`}, []config.ETag{"b"}, false},
		{[]string{`a, b`}, nil, false},
	} {
		tags, any := config.ParseETags(c.headers)
		if !slices.Equal(tags, c.tags) || any != c.any {
			t.Errorf("%q: %q %v, want %q %v", c.headers, tags, any, c.tags, c.any)
		}
	}
}

func TestHeldETagsMayBeWeak(t *testing.T) {
	for header, want := range map[string][]config.ETag{
		`"a"`: {"a"}, `W/"a"`: {"a"}, `"a", W/"b-gzip"`: {"a", "b"}, `W/"a,b", "c"`: {"a,b", "c"}, `w/"a"`: nil, `W/a`: nil, `W/*`: nil,
	} {
		if tags, any := config.HeldETags([]string{header}); !slices.Equal(tags, want) || any {
			t.Errorf("%s: %q %v, want %q", header, tags, any, want)
		}
	}
	if _, any := config.HeldETags([]string{"*"}); !any {
		t.Error("* is not any")
	}
}

func TestETagsAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tag := config.ETagOf(rapid.SliceOf(rapid.Byte()).Draw(t, "body"))
		if !regexp.MustCompile(`^[0-9a-v]{26}$`).MatchString(string(tag)) {
			t.Fatalf("%q", tag)
		}
		coding := rapid.SampledFrom([]string{"", "gzip", "zstd", "dcz"}).Draw(t, "coding")
		if got, ok := config.ParseETag(tag.Quoted(coding)); !ok || got != tag {
			t.Fatalf("%s: %q", tag.Quoted(coding), got)
		}
	})
}

func FuzzParseETags(f *testing.F) {
	for _, seed := range []string{`"a", "b-gzip"`, `*`, `W/"a"`, `"a,*,b"`, `"a`, `""`, "\"\xff\"", `,`} {
		f.Add(seed, "")
	}
	f.Add(`"a"`, `"b"`)
	f.Fuzz(func(t *testing.T, first, second string) {
		tags, any := config.ParseETags([]string{first, second})
		if any && (tags != nil || !strings.Contains(first+second, "*")) {
			t.Fatalf("%q %q: any, and %q", first, second, tags)
		}
		for _, tag := range tags { // each is a tag, and can be sent back
			if again, ok := config.ParseETag(tag.Quoted("gzip")); len(tag) < 190 && (!ok || again != tag) {
				t.Fatalf("%q: %q", tag, again)
			}
			if !strings.Contains(first+second, string(tag)) {
				t.Fatalf("%q is made up from %q %q", tag, first, second)
			}
		}
	})
}

func TestDigestHeaders(t *testing.T) {
	body := []byte(`{"hello": "world"}`)
	sum := sha256.Sum256(body)
	digest := config.DigestOf(body)
	if digest.Hex() != hex.EncodeToString(sum[:]) || config.ETagOf(body) != digest.ETag() {
		t.Errorf("%s, %s", digest.Hex(), digest.ETag())
	}
	want := "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:" // RFC 9530, appendix B.1, says so of these bytes
	if got := digest.Header(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	field := digest.Header()
	for _, header := range []string{field, " " + field + " ", "sha-512=:AAAA:, " + field, field + ";q=1", field + ",md5=:AAAA:", "sha-256=:AAAA:," + field} {
		if got, err := config.ParseDigest(header); err != nil || got != digest {
			t.Errorf("%q: %v", header, err)
		}
	}
	base := base64.StdEncoding.EncodeToString(sum[:])
	for _, header := range []string{"", ",", "sha-256", "sha-256=" + base, "sha-256=:" + base, "sha-256=:AAAA:", "sha-512=:" + base + ":", "sha-256=:" + base[1:] + ":", "sha-256=::", "sha-256=:"} {
		if got, err := config.ParseDigest(header); !errors.Is(err, config.ErrNoDigest) || got != (config.Digest{}) {
			t.Errorf("%q: %v, %v", header, got, err)
		}
	}
}

func TestAreETags(t *testing.T) {
	for value, want := range map[string]bool{
		`*`: true, ` "a" `: true, `"a", W/"b",,""`: true, `W/""`: true, `"a,*"`: true,
		``: false, `,`: false, `a`: false, `"a`: false, `"a" "b"`: false, `*, "a"`: false, `*,*`: false, `w/"a"`: false, `W/a`: false, "\"a\x01\"": false,
	} {
		if got := config.AreETags([]string{value}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	if !config.AreETags([]string{`"a"`, `"b"`}) || config.AreETags([]string{`"a"`, `*`}) {
		t.Error("several fields are one list")
	}
}
