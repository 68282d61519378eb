package usecase_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

// A past is what stood, revision by revision, as name=body.
type past []string

func (p past) State(_ context.Context, _ config.Name, at config.Revision) ([]config.Entry, error) {
	if int(at) >= len(p) {
		return nil, domain.ErrNotFound
	}
	var entries []config.Entry
	for pair := range strings.FieldsSeq(p[at]) {
		name, body, _ := strings.Cut(pair, "=")
		document := config.Document{MediaType: "application/json", Body: []byte(body)}
		entries = append(entries, config.Entry{Name: config.Name(name), ETag: document.ETag(), Document: document})
	}
	return entries, nil
}

func TestDifferences(t *testing.T) {
	undo := usecase.NewUndo(configsOf(t, newMemory()), past{"", "a=1 b=2", "b=2 c=3", "b=4 c=3"})
	for span, want := range map[[2]config.Revision]string{
		{0, 1}: "a: -1 b: -2 ", {1, 2}: "a: 1- c: -3 ", {2, 3}: "b: 2-4 ", {3, 1}: "a: -1 b: 4-2 c: 3- ", {2, 2}: "", {2, 0}: "b: 2- c: 3- ",
	} {
		found, err := undo.Diff(t.Context(), "payments", span[0], span[1])
		var got strings.Builder
		for _, d := range found {
			got.WriteString(string(d.Name) + ": " + bodyOf(d.Before) + "-" + bodyOf(d.After) + " ")
		}
		if err != nil || got.String() != want {
			t.Errorf("%v: %q, want %q, %v", span, got.String(), want, err)
		}
	}
	for _, span := range [][2]config.Revision{{4, 1}, {1, 4}} {
		if _, err := undo.Diff(t.Context(), "payments", span[0], span[1]); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%v: %v", span, err)
		}
	}
}

func bodyOf(d *config.Document) string {
	if d == nil {
		return ""
	}
	return string(d.Body)
}

// TestRollbackIsOneCommit: to the whole of what stood, whatever stands by then.
func TestRollbackIsOneCommit(t *testing.T) {
	configs := configsOf(t, newMemory())
	undo := usecase.NewUndo(configs, past{"", "a=1", "a=1 b=2"})
	commit(t, configs, "payments", put("a", `1`))
	commit(t, configs, "payments", put("b", `2`))
	commit(t, configs, "payments", put("c", `3`)) // which the past does not know of
	made, err := undo.Rollback(t.Context(), "payments", 1, "", domain.Proposal{})
	if err != nil || made.Revision != 4 || len(made.Changes) != 2 || made.Message != "rollback to revision 1" {
		t.Errorf("%+v, %v", made, err)
	}
	made, err = undo.Rollback(t.Context(), "payments", 2, "b", domain.Proposal{Message: "why", DryRun: true})
	if err != nil || len(made.Changes) != 1 || made.Changes[0].Name != "b" || made.Message != "why" {
		t.Errorf("%+v, %v", made, err)
	}
	if at, err := configs.Position(t.Context(), "payments"); err != nil || at.Revision != 4 {
		t.Errorf("a dry run was kept: %v, %v", at, err)
	}
	if _, err := undo.Rollback(t.Context(), "payments", 3, "", domain.Proposal{}); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// A told history has one commit.
type told struct {
	usecase.History
	commit domain.Commit
}

func (h told) Revision(_ context.Context, _ config.Name, revision config.Revision) (domain.Commit, error) {
	if revision != h.commit.Revision {
		return domain.Commit{}, domain.ErrNotFound
	}
	return h.commit, nil
}

func TestRevertTakesBackOneCommit(t *testing.T) {
	history := told{commit: domain.Commit{Message: strings.Repeat("long ", 100) + "\nmore", Changes: []domain.Change{{Op: domain.Put, Name: "b"}}}}
	history.commit.Revision = 2
	configs, err := usecase.NewConfigs(t.Context(), newMemory(), history, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	undo := usecase.NewUndo(configs, past{"", "a=1", "a=1 b=2"})
	commit(t, configs, "payments", put("a", `1`))
	commit(t, configs, "payments", put("b", `2`))
	commit(t, configs, "payments", put("a", `9`))
	made, err := undo.Revert(t.Context(), "payments", 2, domain.Proposal{})
	if err != nil || len(made.Changes) != 1 || made.Changes[0].Op != domain.Delete || made.Changes[0].Name != "b" {
		t.Fatalf("%+v, %v", made, err)
	}
	if !strings.HasPrefix(made.Message, "revert 2: long long") || len(made.Message) > 250 || strings.Contains(made.Message, "more") {
		t.Errorf("%q", made.Message)
	}
	if _, err := undo.Revert(t.Context(), "payments", 2, domain.Proposal{}); !errors.Is(err, domain.ErrStaleBase) {
		t.Errorf("it was taken back already: %v", err)
	}
	if _, err := undo.Revert(t.Context(), "payments", 7, domain.Proposal{}); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("%v", err)
	}
	history.commit.Schemas = []domain.Change{{Op: domain.PutSchema, Name: "b"}}
	configs, err = usecase.NewConfigs(t.Context(), newMemory(), history, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := usecase.NewUndo(configs, past{"", ""}).Revert(t.Context(), "payments", 2, domain.Proposal{}); !errors.Is(err, usecase.ErrSchemasChanged) {
		t.Errorf("%v", err)
	}
}
