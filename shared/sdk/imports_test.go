package sdk_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/heraldconf/herald/"

// An application that imports the SDK takes nothing third-party in with it.
func TestSDKDependsOnTheStandardLibraryAlone(t *testing.T) {
	root, seen := filepath.Join("..", ".."), map[string]bool{}
	var walk func(folder string)
	walk = func(folder string) {
		if seen[folder] {
			return
		}
		seen[folder] = true
		for _, imported := range importsOf(t, filepath.Join(root, folder)) {
			first, _, _ := strings.Cut(imported, "/")
			if ours, ok := strings.CutPrefix(imported, module); ok {
				walk(ours)
			} else if strings.Contains(first, ".") {
				t.Errorf("%s imports %s", folder, imported)
			}
		}
	}
	walk("shared/sdk")
	if !seen["shared/pull"] || !seen["shared/config"] {
		t.Errorf("walked %v only", seen)
	}
}

func importsOf(t *testing.T, folder string) (imports []string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, file.Name()), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			imports = append(imports, path)
		}
	}
	return imports
}
