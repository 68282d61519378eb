package config_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/heraldconf/herald/shared/config"
)

func TestNormalMediaType(t *testing.T) {
	for contentType, want := range map[string]string{
		"":                                   "application/json",
		"application/json":                   "application/json",
		"Application/JSON":                   "application/json",
		"application/json; charset=utf-8":    "application/json",
		"application/json;Charset=\"UTF-8\"": "application/json",
		"text/plain; format=flowed; charset=utf-8": "text/plain; format=flowed",
		"text/plain; Format=Flowed":                "text/plain; format=Flowed",
		"application/vnd.x+json":                   "application/vnd.x+json",
		"application/octet-stream":                 "application/octet-stream",
	} {
		if got, err := config.NormalMediaType(contentType); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", contentType, got, err, want)
		}
	}
	for contentType, hint := range map[string]string{
		"json":                               "as in application/json",
		"application/":                       "as in application/json",
		"/json":                              "as in application/json",
		"application/json; charset":          "as in application/json",
		"a/b; *0=x":                          "as in application/json", // mime reads it, and cannot write it
		"a/b; x=" + strings.Repeat("y", 250): "as in application/json",
		"a/b; x*=utf-8''" + strings.Repeat("%ff", 80) + strings.Repeat("\xff", 9): "as in application/json",
		"text/plain; charset=latin1":                       "documents are UTF-8",
		"application/json; charset=\"\"":                   "documents are UTF-8",
		"application/x-www-form-urlencoded":                "--data-binary @FILE",
		"multipart/form-data; boundary=x":                  "--data-binary @FILE",
		"Application/X-WWW-Form-Urlencoded; charset=utf-8": "Content-Type: application/json",
	} {
		got, err := config.NormalMediaType(contentType)
		if !errors.Is(err, config.ErrMediaType) || got != "" {
			t.Errorf("%q: %q %v", contentType, got, err)
			continue
		}
		if !strings.Contains(err.Error(), hint) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q in it", contentType, err, hint)
		}
	}
}

// What is kept once is kept again as it is, by a rollback for instance.
func TestNormalMediaTypeIsNormal(t *testing.T) {
	value := rapid.OneOf(rapid.StringN(0, 20, -1), rapid.StringMatching(`[a-z]{0,120}`), rapid.SampledFrom([]string{"utf-8", "*", "utf-8''%ff"}))
	rapid.Check(t, func(t *rapid.T) {
		var contentType strings.Builder
		contentType.WriteString(rapid.StringMatching(`[a-zA-Z]{1,8}/[a-z.+*]{1,8}`).Draw(t, "type"))
		for range rapid.IntRange(0, 3).Draw(t, "parameters") {
			contentType.WriteString("; " + rapid.StringMatching(`[a-zA-Z*0]{1,4}|charset`).Draw(t, "name") + `="` + value.Draw(t, "value") + `"`)
		}
		once, err := config.NormalMediaType(contentType.String())
		if err != nil {
			return
		}
		if twice, err := config.NormalMediaType(once); err != nil || twice != once {
			t.Fatalf("%q is kept as %q and then as %q, %v", contentType.String(), once, twice, err)
		}
	})
}

func TestKind(t *testing.T) {
	for mediaType, want := range map[string]config.Kind{
		"application/json": config.JSON, "text/json": config.JSON, "application/problem+json": config.JSON, "text/x+json; v=1": config.JSON,
		"application/geo+json ; v=1": config.JSON, "application/json ;v=1": config.JSON,
		"application/yaml": config.YAML, "application/x-yaml": config.YAML, "text/yaml": config.YAML, "text/x-yaml": config.YAML, "application/openapi+yaml": config.YAML,
		"application/toml": config.TOML, "text/toml": config.TOML, "application/x+toml": config.TOML,
		"text/plain": config.Text, "text/html; v=\"+json\"": config.Text, "text/csv": config.Text,
		"application/octet-stream": config.Bytes, "application/jsonl": config.Bytes, "image/svg+xml": config.Bytes, "": config.Bytes,
	} {
		if got := (config.Document{MediaType: mediaType}).Kind(); got != want {
			t.Errorf("%q: %d, want %d", mediaType, got, want)
		}
	}
}
