package schema_test

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/schema"
)

// TestCorpus holds real configurations to their real schemas, and prints for each
// file whether Herald agrees with who wrote it.
func TestCorpus(t *testing.T) {
	folder := cmp.Or(os.Getenv("HERALD_CORPUS"), filepath.Join("..", "..", "..", "shared", "corpus"))
	schemas, err := filepath.Glob(filepath.Join(folder, "*", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(schemas) == 0 {
		t.Skipf("no */schema.json in %s: set HERALD_CORPUS to a folder of schemas with ok-*.json and bad-*.json", folder)
	}
	files, agreed := 0, 0
	for _, path := range schemas {
		all, right := judgeFolder(t, path)
		files, agreed = files+all, agreed+right
	}
	t.Logf("%d schemas, %d files: agreement on %d, %.1f %%", len(schemas), files, agreed, 100*float64(agreed)/float64(files))
	if 100*agreed <= 97*files {
		t.Errorf("that is not above 97 %%")
	}
}

func judgeFolder(t *testing.T, path string) (files, agreed int) {
	t.Helper()
	documents, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	format := filepath.Base(filepath.Dir(path))
	compiled, refused := schema.Compile("it", map[config.Name][]byte{"it": read(t, path)})
	if refused != nil {
		t.Logf("%s: the schema is refused: %v", format, refused)
	}
	for _, file := range documents {
		name := format + "/" + filepath.Base(file)
		good := strings.HasPrefix(filepath.Base(file), "ok-")
		err := refused
		if refused == nil {
			err = compiled.Check(config.Document{MediaType: "application/json", Body: read(t, file)})
			if err != nil && !errors.Is(err, schema.ErrViolated) {
				t.Errorf("%s: %v", name, err)
			}
		}
		files++
		switch {
		case refused == nil && (err == nil) == good:
			agreed++
			t.Logf("agrees    %s: accepted %t", name, err == nil)
		default:
			t.Logf("DISAGREES %s: %v", name, err)
		}
	}
	return files, agreed
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
