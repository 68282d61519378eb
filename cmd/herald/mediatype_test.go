package main

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/heraldconf/herald/shared/config"
)

func TestMediaTypeFollowsFromTheName(t *testing.T) {
	const binary = "\xff\xfe"
	for _, c := range []struct{ file, body, want string }{
		{"limits.json", "{}", "application/json"},
		{"LIMITS.JSON", "{}", "application/json"},
		{"a.yaml", "", "application/yaml"},
		{"a.yml", "", "application/yaml"},
		{"a.toml", "", "application/toml"},
		{"a.txt", "", "text/plain"},
		{"a.md", "", "text/markdown"},
		{"a.html", "", "text/html"},
		{"a.xml", "", "text/xml"},
		{"a.ini", "[a]", "text/plain"},
		{"a.conf", "a", "text/plain"},
		{"a.properties", "a=b", "text/plain"},
		{".env", "A=b", "text/plain"},
		{"motd", "hello", "text/plain"},
		{"a.conf", binary, "application/octet-stream"},
		{"a.bin", "text", "application/octet-stream"},
		{"a.json", binary, "application/json"}, // the server says that it is none
		{"dir.json/motd", "hello", "text/plain"},
	} {
		if got := mediaTypeOf(c.file, []byte(c.body)); got != c.want {
			t.Errorf("%s: %s, want %s", c.file, got, c.want)
		}
	}
}

func TestAStandingTypeStaysWhereTheNameSaysNone(t *testing.T) {
	for _, c := range []struct{ standing, file, body, want string }{
		{"application/vnd.acme+json", "a.json", "{}", "application/vnd.acme+json"},
		{"application/json", "a.yaml", "", "application/yaml"},
		{"text/x-ini", "a.ini", "[a]", "text/x-ini"},
		{"text/x-ini", "a.txt", "[a]", "text/x-ini"},
		{"text/x-ini", "a.ini", "\xff", "application/octet-stream"},
		{"application/x-acme", "a.acme", "text", "application/x-acme"},
		{"application/json", "a.ini", "[a]", "text/plain"},
		{"text/plain", "a.md", "", "text/markdown"},
		{"application/yaml", "a.yml", "", "application/yaml"},
	} {
		if got := mediaTypeOver(c.standing, c.file, []byte(c.body)); got != c.want {
			t.Errorf("%s over %s: %s, want %s", c.file, c.standing, got, c.want)
		}
	}
}

// Whatever a namespace holds, applying what was exported of it changes nothing.
func TestExportThenApplyIsNoChange(t *testing.T) {
	types := rapid.OneOf(
		rapid.SampledFrom([]string{"application/json", "application/yaml", "text/plain", "text/xml", "application/octet-stream", "application/pdf"}),
		rapid.StringMatching(`(application|text|image)/[a-z0-9.-]{1,12}(\+json|\+yaml|\+toml|\+xml)?(; [a-z]{1,4}=[a-z0-9]{1,4})?`),
	)
	names := rapid.StringMatching(`[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := makeFolder()
		if err != nil {
			t.Fatal(err)
		}
		defer dir.remove()
		var entries []config.Entry
		for _, name := range rapid.SliceOfNDistinct(names, 1, 6, rapid.ID).Draw(t, "names") {
			mediaType, err := config.NormalMediaType(types.Draw(t, "type"))
			if err != nil || mediaType == "" {
				continue
			}
			document := config.Document{MediaType: mediaType, Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body")}
			if document.Kind() == config.JSON {
				document.Body = []byte(" {\"a\": 1}\n")
			}
			entries = append(entries, config.Entry{Name: config.Name(name), Revision: 1, Document: document})
		}
		held := config.Seal("payments", config.Position{Epoch: "01J", Revision: 1}, entries, nil)
		folder := dir.exported(t, held)
		if plan := planOf(held, folder.files, true); len(plan.changes) > 0 {
			t.Errorf("%s: %+v", plan, plan.changes)
		}
	})
}
