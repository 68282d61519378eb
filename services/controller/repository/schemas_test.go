package repository_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/shared/config"
)

func putSchema(name config.Name, body string) domain.Change {
	return domain.Change{Op: domain.PutSchema, Name: name, Document: config.Document{MediaType: "application/schema+json", Body: []byte(body)}}
}

func commitSchemas(t *testing.T, s *repository.Store, schemas ...domain.Change) domain.Commit {
	t.Helper()
	made, err := update(t.Context(), s, "payments", domain.Proposal{Author: "anonymous", Schemas: schemas})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestSchemasAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	commitSchemas(t, s, putSchema("limits", `{"type":"object"}`), putSchema("a", `true`))
	commit(t, s, "payments", put("limits", `{}`))
	commitSchemas(t, s, putSchema("limits", `{"type":"array"}`), domain.Change{Op: domain.DeleteSchema, Name: "a"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	standing, err := s.Schemas(t.Context(), "payments")
	if err != nil || len(standing) != 1 || standing[0].Name != "limits" || standing[0].Revision != 3 || string(standing[0].Body) != `{"type":"array"}` {
		t.Errorf("%+v %v", standing, err)
	}
	for at, want := range map[config.Revision]string{0: `{"type":"array"}`, 1: `{"type":"object"}`, 2: `{"type":"object"}`, 3: `{"type":"array"}`} {
		if entry, err := s.Schema(t.Context(), "payments", "limits", at); err != nil || string(entry.Body) != want || entry.MediaType != "application/schema+json" {
			t.Errorf("at %d: %s %v", at, entry.Body, err)
		}
	}
	for name, at := range map[config.Name]config.Revision{"a": 0, "b": 0, "limits": 4} {
		if _, err := s.Schema(t.Context(), "payments", name, at); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s at %d: %v", name, at, err)
		}
	}
	if _, err := s.Schema(t.Context(), "payments", "a", 2); err != nil {
		t.Errorf("what was deleted later stood then: %v", err)
	}
}

func TestSchemasAreListed(t *testing.T) {
	s := fresh(t)
	if _, err := s.ListSchemas(t.Context(), "payments", "", 10); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("nothing is written: %v", err)
	}
	commitSchemas(t, s, putSchema("c", `true`), putSchema("a", `true`), putSchema("b", `true`))
	page, err := s.ListSchemas(t.Context(), "payments", "a", 1)
	if err != nil || len(page) != 1 || page[0].Name != "b" || page[0].Size != 4 || page[0].Revision != 1 {
		t.Errorf("%+v %v", page, err)
	}
	if configs, err := s.List(t.Context(), "payments", "", 10); err != nil || len(configs) != 0 {
		t.Errorf("a schema is no config: %+v %v", configs, err)
	}
}

// TestSchemasAreHistory: the hash of each commit can be worked out again from what
// history tells, and chains them whatever they changed.
func TestSchemasAreHistory(t *testing.T) {
	s := fresh(t)
	commitSchemas(t, s, putSchema("limits", `{}`), putSchema("other", `true`))
	commit(t, s, "payments", put("limits", `1`))
	commitSchemas(t, s, domain.Change{Op: domain.DeleteSchema, Name: "limits"})
	commits, err := s.Commits(t.Context(), "payments", "", 0, 10)
	if err != nil || len(commits) != 3 {
		t.Fatalf("%+v %v", commits, err)
	}
	if len(commits[0].Schemas) != 1 || len(commits[1].Schemas) != 0 || len(commits[2].Schemas) != 2 || commits[2].Schemas[0].Name != "limits" {
		t.Errorf("%+v", commits)
	}
	var previous domain.Hash
	for revision := range config.Revision(3) {
		whole, err := s.Revision(t.Context(), "payments", revision+1)
		if err != nil || whole.Sum() != whole.Hash || whole.Previous != previous {
			t.Errorf("%d: %+v %v", revision+1, whole, err)
		}
		previous = whole.Hash
	}
	snapshot, err := s.Newest(t.Context(), "payments")
	if err != nil || snapshot.Revision != 3 || len(snapshot.Configs) != 1 || len(snapshot.Tombstones) != 0 {
		t.Errorf("the revision moves, and nothing else of a snapshot: %s %v", snapshot.Body, err)
	}
}
