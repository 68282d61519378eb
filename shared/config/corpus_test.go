package config_test

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/config"
)

// documents are configurations as people write them: those of the folder that
// HERALD_CORPUS names, or a few of our own where it is not there.
func documents(tb testing.TB) map[string][]byte {
	tb.Helper()
	found := map[string][]byte{
		"compact":  []byte(`{"rps":50,"burst":1e2,"hosts":["a","b"]}`),
		"indented": []byte("{\n\t\"name\": \"caf\u00e9 \\u00e9\",\r\n\t\"ratio\" : 0.10,\n\t\"nested\": {\"a\": [ ], \"b\": { }}\n}\n"),
		"scalar":   []byte(" -0 \n"),
		"html":     []byte(`{"page": "<a href=\"/x?a=1&b=2\">\/ </a>"}`),
	}
	folder := cmp.Or(os.Getenv("HERALD_CORPUS"), filepath.Join("..", "..", "..", "shared", "corpus"))
	paths, err := filepath.Glob(filepath.Join(folder, "*", "ok-*.json"))
	if err != nil {
		tb.Fatal(err)
	}
	if len(paths) == 0 {
		tb.Logf("no ok-*.json in %s: set HERALD_CORPUS to a folder of real configurations; %d documents of this test have to do", folder, len(found))
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		found[filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)] = body
	}
	return found
}

// configNames gives each document a name that a config can have.
func configNames(found map[string][]byte) map[config.Name][]byte {
	named := map[config.Name][]byte{}
	for path, body := range found {
		named[config.Name(strings.ToLower(strings.NewReplacer("/", ".", "+", "-", "@", "-").Replace(path)))] = body
	}
	return named
}

// Real configurations pass, and come out byte for byte: alone, and all together.
func TestRealDocuments(t *testing.T) {
	found := configNames(documents(t))
	var all []config.Entry
	for name, body := range found {
		if _, err := config.ParseName(string(name)); err != nil {
			t.Fatal(err)
		}
		if err := config.CheckJSON(body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		entry := config.Entry{Name: name, Revision: 1, Document: config.Document{MediaType: "application/json", Body: bytes.Clone(body)}}
		all = append(all, entry)
		survives(t, found, entry)
	}
	survives(t, found, all...)
	t.Logf("%d documents", len(found))
}

func survives(t *testing.T, found map[config.Name][]byte, entries ...config.Entry) {
	t.Helper()
	s, err := config.Open(config.Seal("real", config.Position{Epoch: "01J", Revision: 1}, entries, nil).Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Configs) != len(entries) {
		t.Errorf("%d of %d", len(s.Configs), len(entries))
	}
	for _, e := range s.Configs {
		if !bytes.Equal(e.Body, found[e.Name]) {
			t.Errorf("%s came out as %.200q", e.Name, e.Body)
		}
	}
}
