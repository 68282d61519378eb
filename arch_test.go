// Package herald_test holds the architecture: who may import whom, and that each
// package says what it knows. docs/architecture.md explains the lists.
package herald_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/heraldconf/herald/"

// Third-party libraries, by what they are for. A layer that is not given one may
// not use it.
var libraries = map[string][]string{
	"watermill":  {"github.com/ThreeDotsLabs/watermill"},
	"redis":      {"github.com/redis/go-redis", "github.com/ThreeDotsLabs/watermill-redisstream"},
	"database":   {"gorm.io/", "github.com/mattn/go-sqlite3", "github.com/pressly/goose"},
	"ulid":       {"github.com/oklog/ulid"},
	"cli":        {"github.com/spf13/"},
	"prometheus": {"github.com/prometheus/client_golang"},
	"zstd":       {"github.com/klauspost/compress"},
	"documents":  {"go.yaml.in/yaml", "github.com/pelletier/go-toml"},
	"diffs":      {"github.com/wI2L/jsondiff", "github.com/pmezard/go-difflib"},
	"schemas":    {"github.com/santhosh-tekuri/jsonschema"},
	"network":    {"golang.org/x/net"},
	"openapi":    {"github.com/pb33f/libopenapi"},
	"sync":       {"golang.org/x/sync"},
	"templates":  {"github.com/Masterminds/sprig"},
}

// A rule says what the packages of a folder may import beyond the standard
// library: packages of ours ("own" is the same service's layer), and libraries.
type rule struct {
	folder    string   // a path; * stands for one service
	ours      []string // paths, a trailing /... for all below
	libraries []string
	forbidden []string // of the standard library
}

// rules are closed lists; the first that fits a package holds.
var rules = []rule{
	{folder: "shared/config", forbidden: []string{"net/http", "database/sql", "os"}},
	{folder: "shared/sdk", ours: []string{"shared/..."}},
	{folder: "shared/pull", ours: []string{"shared/config"}},
	{folder: "shared/lastgood", ours: []string{"shared/config"}},
	{folder: "shared/schema", ours: []string{"shared/config", "shared/document"}, libraries: []string{"schemas"}, forbidden: []string{"net/http", "database/sql", "os"}},
	{folder: "shared/diff", ours: []string{"shared/config"}, libraries: []string{"diffs"}},
	{folder: "shared/environ", ours: []string{"shared/config", "shared/document"}, forbidden: []string{"net/http", "database/sql", "os"}},
	{folder: "shared/supervise", forbidden: []string{"net/http", "database/sql"}},
	{folder: "shared/contract", libraries: []string{"openapi", "documents"}},
	{folder: "shared/...", ours: []string{"shared/..."}, libraries: []string{"cli", "prometheus", "zstd", "documents", "network"}},
	{folder: "events", ours: []string{"shared/config"}},
	{folder: "events/...", ours: []string{"events/...", "shared/config"}, libraries: []string{"watermill", "redis"}},
	{folder: "services/*/domain", ours: []string{"shared/config"}, forbidden: []string{"net/http", "database/sql", "os"}},
	{folder: "services/*/usecase", ours: []string{"own/domain", "events", "shared/config"}, forbidden: []string{"net/http", "database/sql", "os"}},
	{folder: "services/*/repository/...", ours: []string{"own/domain", "own/usecase", "own/repository/...", "events", "shared/config", "shared/lastgood"}, libraries: []string{"database", "ulid"}},
	{folder: "services/*/gateway", ours: []string{"own/domain", "own/usecase", "shared/..."}},
	{folder: "services/*/template", ours: []string{"own/domain", "shared/config", "shared/document"}, libraries: []string{"templates", "documents"}, forbidden: []string{"net", "net/http", "database/sql", "os/exec"}},
	{folder: "services/*/command", forbidden: []string{"net", "net/http", "database/sql"}},
	{folder: "services/*/handler", ours: []string{"own/domain", "own/usecase", "events", "events/bus", "shared/..."}, libraries: []string{"watermill", "prometheus"}},
	{folder: "services/*", ours: []string{"own/...", "events", "events/bus", "shared/..."}, libraries: []string{"prometheus"}},
	{folder: "cmd/...", ours: []string{"services/*", "events", "events/bus", "shared/...", "cmd/herald/..."}, libraries: []string{"cli", "sync"}},
}

func TestImports(t *testing.T) {
	for folder, files := range packages(t) {
		r, service := ruleFor(folder)
		if r == nil {
			t.Errorf("%s: no rule says what it may import; add one here and to docs/architecture.md", folder)
			continue
		}
		for _, file := range files {
			for _, spec := range file.syntax.Imports {
				imported := strings.Trim(spec.Path.Value, `"`)
				if reason := r.refuses(imported, service); reason != "" {
					t.Errorf("%s imports %s: %s", file.path, imported, reason)
				}
			}
		}
	}
}

// TestWorkersNeedNothing holds the promise of shared/sdk: an application that
// imports it gets no third-party library.
func TestWorkersNeedNothing(t *testing.T) {
	all := packages(t)
	seen := map[string]bool{}
	var walk func(folder string)
	walk = func(folder string) {
		if seen[folder] {
			return
		}
		seen[folder] = true
		for _, file := range all[folder] {
			for _, spec := range file.syntax.Imports {
				imported := strings.Trim(spec.Path.Value, `"`)
				if ours, ok := strings.CutPrefix(imported, module); ok {
					walk(ours)
				} else if thirdParty(imported) {
					t.Errorf("shared/sdk reaches %s through %s", imported, file.path)
				}
			}
		}
	}
	walk("shared/sdk")
	if !seen["shared/config"] {
		t.Error("shared/sdk was not walked")
	}
}

func TestEachPackageSaysWhatItIs(t *testing.T) {
	for folder, files := range packages(t) {
		var documented []string
		for _, file := range files {
			if file.syntax.Doc != nil {
				documented = append(documented, file.path)
			}
		}
		if len(documented) != 1 {
			t.Errorf("%s: %d package comments %v, want one", folder, len(documented), documented)
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "base", "manager", "misc"}
	for folder := range packages(t) {
		if slices.Contains(vague, path.Base(folder)) {
			t.Errorf("%s: name a package after what it knows", folder)
		}
	}
}

type sourceFile struct {
	path   string
	syntax *ast.File
}

// packages parses the files themselves, so that no cached answer hides a broken
// rule, and returns those that are not tests by folder.
func packages(t *testing.T) map[string][]sourceFile {
	t.Helper()
	found := map[string][]sourceFile{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(name))
		found[folder] = append(found[folder], sourceFile{filepath.ToSlash(name), syntax})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"shared/config", "services/controller/usecase", "services/agent", "services/worker", "cmd/herald"} {
		if len(found[expected]) == 0 {
			t.Errorf("no Go files in %s: the rules would hold nothing", expected)
		}
	}
	return found
}

// ruleFor returns the first rule that fits a folder, and the service it is of.
func ruleFor(folder string) (*rule, string) {
	for i := range rules {
		if ok, service := fits(rules[i].folder, folder); ok {
			return &rules[i], service
		}
	}
	return nil, ""
}

// fits matches a path with a pattern of which * is one element and a trailing
// /... is the folder and all below.
func fits(pattern, folder string) (ok bool, star string) {
	want, below := strings.CutSuffix(pattern, "/...")
	wanted, got := strings.Split(want, "/"), strings.Split(folder, "/")
	if len(got) < len(wanted) || (len(got) > len(wanted) && !below) {
		return false, ""
	}
	for i, element := range wanted {
		if element == "*" {
			star = got[i]
		} else if element != got[i] {
			return false, ""
		}
	}
	return true, star
}

func thirdParty(imported string) bool {
	return strings.Contains(strings.Split(imported, "/")[0], ".")
}

// refuses returns why an import is not allowed, "" if it is.
func (r *rule) refuses(imported, service string) string {
	if ours, ok := strings.CutPrefix(imported, module); ok {
		for _, allowed := range r.ours {
			if ok, _ := fits(strings.Replace(allowed, "own", "services/"+service, 1), ours); ok {
				return ""
			}
		}
		return r.folder + " may import of ours only " + strings.Join(r.ours, ", ")
	}
	if !thirdParty(imported) {
		if slices.Contains(r.forbidden, imported) {
			return r.folder + " knows nothing of it"
		}
		return ""
	}
	for _, name := range r.libraries {
		for _, prefix := range libraries[name] {
			if strings.HasPrefix(imported, prefix) {
				return ""
			}
		}
	}
	return r.folder + " may use of third parties only " + strings.Join(r.libraries, ", ")
}

// TestRulesRefuse shows that the rules can fail.
func TestRulesRefuse(t *testing.T) {
	for _, c := range []struct{ folder, imported string }{
		{"services/controller/usecase", "net/http"},
		{"services/controller/usecase", "gorm.io/gorm"},
		{"services/controller/usecase", module + "services/controller/repository"},
		{"services/controller/domain", module + "events"},
		{"services/agent/handler", module + "services/agent/repository"},
		{"services/agent/usecase", module + "services/controller/domain"},
		{"services/agent", module + "services/worker"},
		{"services/agent/template", "os/exec"},
		{"services/agent/command", module + "services/agent/domain"},
		{"services/agent/usecase", module + "services/agent/command"},
		{"shared/config", "github.com/google/uuid"},
		{"shared/sdk", "github.com/prometheus/client_golang/prometheus"},
		{"shared/httpapi", module + "services/agent"},
		{"events", "github.com/redis/go-redis/v9"},
		{"cmd/controller", module + "services/controller/usecase"},
	} {
		r, service := ruleFor(c.folder)
		if r == nil || r.refuses(c.imported, service) == "" {
			t.Errorf("%s may import %s", c.folder, c.imported)
		}
	}
	if names := slices.Sorted(maps.Keys(libraries)); len(names) != 14 {
		t.Errorf("libraries %v: say in docs/architecture.md what a new one is for", names)
	}
}
