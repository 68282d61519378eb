package repository_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/shared/config"
)

func openAt(t *testing.T, path string) *repository.Store {
	t.Helper()
	store, err := repository.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func proposePut(ctx context.Context, store *repository.Store, name config.Name, body string, change func(*domain.Commit)) error {
	_, err := store.Update(ctx, "payments", func(now domain.Namespace) (domain.Commit, error) {
		commit, err := domain.Revise(now, domain.Proposal{Force: true, Changes: []domain.Change{
			{Op: domain.Put, Name: name, Document: config.Document{MediaType: "application/json", Body: []byte(body)}},
		}}, time.Now())
		if change != nil {
			change(&commit)
		}
		return commit, err
	})
	return err
}

// TestReceiptIsKeptWithItsCommit: on disk together, or not at all; and for a day.
func TestReceiptIsKeptWithItsCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	store := openAt(t, path)
	at := time.Now().UTC().Truncate(time.Millisecond)
	request := domain.Request{Actor: "t1", Method: "PUT", Path: "/p", Key: "k"}
	receipt := domain.Receipt{Request: request, Sum: domain.SumOf("a", "b"), Answer: []byte("done"), At: at}
	with := func(c *domain.Commit) { c.Receipt = &receipt }
	if err := proposePut(t.Context(), store, "limits", `1`, with); err != nil {
		t.Fatal(err)
	}
	broken := receipt
	broken.Key, broken.Answer = "k2", []byte("not done")
	failed := proposePut(t.Context(), store, "limits", `2`, func(c *domain.Commit) {
		c.Receipt = &broken
		c.Revision = 1 // which is there already
	})
	if failed == nil {
		t.Fatal("a commit was kept twice")
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openAt(t, path)
	defer store.Close()
	got, err := store.Receipt(t.Context(), request, at.Add(-time.Hour))
	if err != nil || got == nil || string(got.Answer) != "done" || got.Sum != receipt.Sum || !got.At.Equal(at) || got.Request != request {
		t.Errorf("%+v, %v", got, err)
	}
	for name, other := range map[string]domain.Request{
		"of a commit that failed": {Actor: "t1", Method: "PUT", Path: "/p", Key: "k2"},
		"of another token":        {Actor: "t2", Method: "PUT", Path: "/p", Key: "k"},
		"of another method":       {Actor: "t1", Method: "POST", Path: "/p", Key: "k"},
		"of another path":         {Actor: "t1", Method: "PUT", Path: "/q", Key: "k"},
	} {
		if got, err := store.Receipt(t.Context(), other, at.Add(-time.Hour)); err != nil || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := store.Receipt(t.Context(), request, at); err != nil || got != nil {
		t.Errorf("too old: %+v, %v", got, err)
	}
	later := domain.Receipt{Request: domain.Request{Key: "later"}, Answer: []byte("later"), At: at.Add(domain.ReceiptsFor)}
	if err := store.KeepReceipt(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Receipt(t.Context(), request, time.Time{}); err != nil || got != nil {
		t.Errorf("not forgotten: %+v, %v", got, err)
	}
}

func TestSettingsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	store := openAt(t, path)
	if _, err := store.Settings(t.Context(), "payments"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := proposePut(t.Context(), store, "limits", `{}`, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Settings(t.Context(), "payments"); err != nil || got != domain.DefaultSettings {
		t.Errorf("%+v, %v", got, err)
	}
	want := domain.Settings{
		Guards:      domain.Guards{Configs: 7, DeletedPercent: 10, KeptPercent: 90},
		FrozenUntil: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond), Reason: "the sale",
	}
	refusal := errors.New("no")
	if _, err := store.Amend(t.Context(), "payments", domain.Anonymous, func(domain.Settings) (domain.Settings, error) { return want, refusal }); !errors.Is(err, refusal) {
		t.Errorf("%v", err)
	}
	if _, err := store.Amend(t.Context(), "payments", domain.Anonymous, func(now domain.Settings) (domain.Settings, error) {
		if now != domain.DefaultSettings {
			t.Errorf("a refused change was kept: %+v", now)
		}
		return want, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openAt(t, path)
	defer store.Close()
	if got, err := store.Settings(t.Context(), "payments"); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	_, err := store.Update(t.Context(), "payments", func(now domain.Namespace) (domain.Commit, error) {
		if now.Settings != want || !now.Configs["limits"].Empty {
			t.Errorf("the rules are told %+v, %+v", now.Settings, now.Configs)
		}
		return domain.Commit{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestState: what stood at each revision, and no more.
func TestState(t *testing.T) {
	store := openAt(t, filepath.Join(t.TempDir(), "c.db"))
	defer store.Close()
	for _, step := range [][2]string{{"b", `1`}, {"a", `2`}, {"b", `3`}} {
		if err := proposePut(t.Context(), store, config.Name(step[0]), step[1], nil); err != nil {
			t.Fatal(err)
		}
	}
	_, err := store.Update(t.Context(), "payments", func(now domain.Namespace) (domain.Commit, error) {
		return domain.Revise(now, domain.Proposal{Changes: []domain.Change{{Op: domain.Delete, Name: "a"}}, Force: true}, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range []string{"", "b=1@1 ", "a=2@2 b=1@1 ", "a=2@2 b=3@3 ", "b=3@3 "} {
		state, err := store.State(t.Context(), "payments", config.Revision(at))
		var got strings.Builder
		for _, e := range state {
			got.WriteString(string(e.Name) + "=" + string(e.Body) + "@" + string(rune('0'+e.Revision)) + " ")
		}
		if err != nil || got.String() != want {
			t.Errorf("at %d: %q, want %q, %v", at, got.String(), want, err)
		}
	}
	if _, err := store.State(t.Context(), "payments", 5); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("%v", err)
	}
}
