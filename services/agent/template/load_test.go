package template_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/agent/template"
)

func loadYAML(t *testing.T, text string) (*template.Set, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"files.yaml": text, "a.tmpl": `{{ raw "web/a" }}{{ raw "other/b" }}`, "large.tmpl": strings.Repeat("x", 1<<20+1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return template.Load(filepath.Join(dir, "files.yaml"), options)
}

func TestLoad(t *testing.T) {
	set, err := loadYAML(t, `
# what this host makes
files:
  - to: /srv/nginx.conf
    from: web/nginx
    mode: "0640"
    check: &test [nginx, -t, -c, "{}"]
    then:  [nginx, -s, reload]
    timeout: 1m30s
  - {to: /srv/b, template: a.tmpl, mode: 0600, check: *test}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", set.Files())
	want := `[{To:/srv/nginx.conf Root:/srv Namespaces:[web] Mode:-rw-r----- Check:[nginx -t -c {}] Then:[nginx -s reload] Timeout:1m30s} ` +
		`{To:/srv/b Root:/srv Namespaces:[other web] Mode:-rw------- Check:[nginx -t -c {}] Then:[] Timeout:30s}]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	content, err := set.Render(t.Context(), "/srv/nginx.conf", snapshots([3]string{"web/nginx", "text/plain", "events {}\n"}))
	if err != nil || string(content) != "events {}\n" {
		t.Errorf("%q, %v", content, err)
	}
	if _, err := set.Render(t.Context(), "/srv/nothing", nil); err == nil {
		t.Error("made a file that is not in the list")
	}
}

// An agent does not start on what it would have to guess at: the error names the
// file, the line and the setting.
func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ yaml, words string }{
		{"", "it is empty"},
		{"files: []", "line 1: files: it needs a list"},
		{"files:", "line 1: files"},
		{"- a", "line 1: it needs files"},
		{"files:\n  - a", "line 2: files[0]: it needs to, from"},
		{"file:\n  - to: /srv/a", "line 1: file: unknown"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    reload: [x]", "line 4: files[0].reload: unknown"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    from: web/b", "line 4"},
		{"files:\n  - from: web/a", "line 2: files[0].to: it is missing"},
		{"files:\n  - to: /srv/a", "line 2: files[0]: it needs from: NAMESPACE/NAME or template: FILE"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    template: a.tmpl", "line 4: files[0].template: there is from already"},
		{"files:\n  - to: srv/a\n    from: web/a", "line 2: files[0].to: \"srv/a\": write an absolute path"},
		{"files:\n  - to: /srv/../etc/passwd\n    from: web/a", "files[0].to"},
		{"files:\n  - to: /etc/passwd\n    from: web/a", "lies in none of --template-roots /srv"},
		{"files:\n  - to: /srvs/a\n    from: web/a", "lies in none of --template-roots /srv"},
		{"files:\n  - to: /srv/a b\n    from: web/a", "the fleet knows a file as AGENT:PATH"},
		{"files:\n  - to: /srv/a\n    from: web/a\n  - to: /srv/a\n    from: web/b", "line 4: files[1].to: /srv/a is made twice"},
		{"files:\n  - to: /srv/a\n    from: weba", "files[0].from: \"weba\": write NAMESPACE/NAME"},
		{"files:\n  - to: /srv/a\n    from: WEB/a", "files[0].from: invalid name"},
		{"files:\n  - to: /srv/a\n    from: web/a/b", "files[0].from: invalid name"},
		{"files:\n  - to: /srv/a\n    from: 7", "files[0].from: it needs to be text"},
		{"files:\n  - to: [/srv/a]\n    from: web/a", "files[0].to: it needs to be text"},
		{"files:\n  - to: /srv/a\n    template: none.tmpl", "files[0].template: stat "},
		{"files:\n  - to: /srv/a\n    template: large.tmpl", "files[0].template"},
		{"files:\n  - to: /srv/a\n    template: .", "is no file"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    mode: \"0999\"", "line 4: files[0].mode: write it as in"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    mode: \"4755\"", "files[0].mode"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    mode: rw", "files[0].mode"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    timeout: 30", "files[0].timeout"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    timeout: 11m", "files[0].timeout"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    timeout: -1s", "files[0].timeout"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    then: nginx -s reload", "files[0].then: write the command as a list"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    then: []", "files[0].then"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    then: [\"\"]", "files[0].then"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    then: [a, [b]]", "files[0].then: each word"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    check: [nginx, -t]", "files[0].check: it has no {}"},
		{"files:\n  - to: /srv/a\n    from: web/a\n    check: [\"{}\"]", "files[0].check: it has no {}"},
		{"files:\n  - to: /srv/a\n    from: web/a\n---\nfiles: []", "more than one document"},
		{"files: [", "line 1"},
		{"files: &a [*a]", ""},
		{"files:\n" + strings.Repeat("  - {to: /srv/a, from: web/a}\n", 257), "257 files: 256 at most"},
		{"#" + strings.Repeat("x", 1<<20), "has more than 1048576 bytes"},
	} {
		_, err := loadYAML(t, c.yaml)
		if err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), string(filepath.Separator)) {
			t.Errorf("%.90q:\n%v; want %q", c.yaml, err, c.words)
		}
	}
	if _, err := template.Load(filepath.Join(t.TempDir(), "none.yaml"), options); err == nil {
		t.Error("loaded a file that is not there")
	}
}
