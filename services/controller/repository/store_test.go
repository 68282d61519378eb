package repository_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

func open(t *testing.T, path string) *repository.Store {
	t.Helper()
	store, err := repository.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func fresh(t *testing.T) *repository.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "c.db"))
}

func put(name config.Name, body string) domain.Change {
	return domain.Change{Op: domain.Put, Name: name, Document: config.Document{MediaType: "application/json", Body: []byte(body)}}
}

func remove(name config.Name) domain.Change { return domain.Change{Op: domain.Delete, Name: name} }

func update(ctx context.Context, s *repository.Store, namespace config.Name, p domain.Proposal) (domain.Commit, error) {
	return s.Update(ctx, namespace, func(now domain.Namespace) (domain.Commit, error) {
		return domain.Revise(now, p, time.Now())
	})
}

// commit makes a commit that must succeed.
func commit(t *testing.T, s *repository.Store, namespace config.Name, changes ...domain.Change) domain.Commit {
	t.Helper()
	made, err := update(t.Context(), s, namespace, domain.Proposal{Author: "anonymous", Message: "why", Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestSnapshotIsWhatWasCommitted(t *testing.T) {
	s := fresh(t)
	if _, err := s.Newest(t.Context(), "payments"); !errors.Is(err, domain.ErrNotFound) {
		t.Fatalf("nothing is written: %v", err)
	}
	commit(t, s, "payments", put("limits", ` {"rps": 1.0} `), put("old", `1`))
	commit(t, s, "payments", put("limits", ` {"rps": 2.0} `))
	commit(t, s, "other", put("limits", `3`))
	commit(t, s, "payments", remove("old"))
	snapshot, err := s.Newest(t.Context(), "payments")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"namespace":"payments","epoch":"` + string(s.Epoch()) + `","revision":3,"configs":{"limits":` +
		`{"revision":2,"mediaType":"application/json","value": {"rps": 2.0} }},"tombstones":{"old":{"revision":3}}}`
	if string(snapshot.Body) != want {
		t.Errorf("got  %s\nwant %s", snapshot.Body, want)
	}
	commit(t, s, "payments", put("old", ``)) // an empty document, where a tombstone stood
	if snapshot, err = s.Newest(t.Context(), "payments"); err != nil || snapshot.Deleted("old") {
		t.Errorf("%s, %v", snapshot.Body, err)
	}
}

func TestUnchangedWritesNothing(t *testing.T) {
	s := fresh(t)
	commit(t, s, "payments", put("limits", `1`))
	if again := commit(t, s, "payments", put("limits", `1`)); again.Changed() || again.Revision != 1 {
		t.Errorf("%+v", again)
	}
	pending, err := s.Pending(t.Context(), 0, 10)
	if err != nil || len(pending) != 1 {
		t.Errorf("%v, %v", pending, err)
	}
}

func TestRefusalWritesNothing(t *testing.T) {
	s := fresh(t)
	refusal := errors.New("refused")
	_, err := s.Update(t.Context(), "payments", func(domain.Namespace) (domain.Commit, error) { return domain.Commit{}, refusal })
	if !errors.Is(err, refusal) || errors.Is(err, usecase.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if names, err := s.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestHistory(t *testing.T) {
	s := fresh(t)
	commit(t, s, "payments", put("a", `1`), put("b", `1`))
	commit(t, s, "other", put("a", `9`))
	commit(t, s, "payments", put("a", `2`))
	commit(t, s, "payments", remove("a"))
	ctx := t.Context()
	page, err := s.Commits(ctx, "payments", "", 0, 2)
	if err != nil || len(page) != 2 || page[0].Revision != 3 || page[0].Changes[0].Op != domain.Delete || page[1].Changes[0].Name != "a" {
		t.Errorf("%+v, %v", page, err)
	}
	page, err = s.Commits(ctx, "payments", "", page[1].Revision, 2)
	if err != nil || len(page) != 1 || len(page[0].Changes) != 2 || page[0].Changes[0].Body != nil {
		t.Errorf("%+v, %v", page, err)
	}
	for _, c := range []struct {
		name     config.Name
		revision config.Revision
		want     string // "" is not found
	}{
		{"a", 1, "1"}, {"a", 2, "2"}, {"a", 3, ""}, {"a", 4, ""}, {"b", 3, "1"}, {"nobody", 1, ""},
	} {
		entry, err := s.Document(ctx, "payments", c.name, c.revision)
		if c.want == "" {
			if !errors.Is(err, domain.ErrNotFound) {
				t.Errorf("%s at %d: %v", c.name, c.revision, err)
			}
			continue
		}
		if err != nil || string(entry.Body) != c.want || entry.ETag != entry.Document.ETag() {
			t.Errorf("%s at %d: %+v, %v", c.name, c.revision, entry, err)
		}
	}
	if _, err := s.Revision(ctx, "payments", 4); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("revision 4: %v", err)
	}
}

func TestCatalogue(t *testing.T) {
	s := fresh(t)
	commit(t, s, "payments", put("b", `1`), put("a", `22`), put("c", `3`))
	commit(t, s, "payments", remove("c"))
	commit(t, s, "audit", put("x", `1`))
	namespaces, err := s.Namespaces(t.Context(), "", 10)
	if err != nil || len(namespaces) != 2 || namespaces[0].Namespace != "audit" || namespaces[1].Configs != 2 || namespaces[1].Revision != 2 {
		t.Errorf("%+v, %v", namespaces, err)
	}
	if namespaces[1].Epoch != s.Epoch() || time.Since(namespaces[1].UpdatedAt) > time.Minute {
		t.Errorf("%+v", namespaces[1])
	}
	if rest, err := s.Namespaces(t.Context(), "audit", 10); err != nil || len(rest) != 1 {
		t.Errorf("%+v, %v", rest, err)
	}
	configs, err := s.List(t.Context(), "payments", "", 10)
	if err != nil || len(configs) != 2 || configs[0].Name != "a" || configs[0].Size != 2 || configs[0].MediaType != "application/json" {
		t.Errorf("%+v, %v", configs, err)
	}
	if rest, err := s.List(t.Context(), "payments", "a", 1); err != nil || len(rest) != 1 || rest[0].Name != "b" {
		t.Errorf("%+v, %v", rest, err)
	}
	if _, err := s.List(t.Context(), "nobody", "", 10); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// TestCompareAndSet: of 16 writers that each saw the same state one wins, again
// and again, and no revision is missing or made twice.
func TestCompareAndSet(t *testing.T) {
	s := fresh(t)
	commit(t, s, "payments", put("counter", `0`))
	const writers, rounds = 16, 5
	var won atomic.Int64
	for round := range rounds {
		base := config.Revision(round + 1)
		var group sync.WaitGroup
		for writer := range writers {
			group.Go(func() {
				_, err := update(t.Context(), s, "payments", domain.Proposal{
					Base: &base, Changes: []domain.Change{put("counter", fmt.Sprintf("%d%02d", base, writer))},
				})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, domain.ErrStaleBase):
					t.Errorf("a writer that was too late got %v", err)
				}
			})
		}
		group.Wait()
	}
	commits, err := s.Commits(t.Context(), "payments", "", 0, 100)
	if err != nil || won.Load() != rounds || len(commits) != rounds+1 {
		t.Errorf("%d writers won %d rounds, %d commits, %v", won.Load(), rounds, len(commits), err)
	}
}

// TestEveryWriterGetsThrough: none of many writers fails because others write.
func TestEveryWriterGetsThrough(t *testing.T) {
	s := fresh(t)
	var group sync.WaitGroup
	for writer := range 16 {
		group.Go(func() {
			for i := range 5 {
				name := config.Name(fmt.Sprintf("n%d", writer%4))
				if _, err := update(t.Context(), s, name, domain.Proposal{Changes: []domain.Change{put(config.Name(fmt.Sprintf("c%d-%d", writer, i)), `1`)}}); err != nil {
					t.Error(err)
				}
				if _, err := s.Newest(t.Context(), name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for i := range 4 {
		snapshot, err := s.Newest(t.Context(), config.Name(fmt.Sprintf("n%d", i)))
		if err != nil || snapshot.Revision != 20 || len(snapshot.Configs) != 20 {
			t.Errorf("%+v, %v", snapshot, err)
		}
	}
}

// TestBusy: a foreign program that holds the lock for a while delays a commit; it
// does not fail it.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	foreign, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	tx, err := foreign.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := update(t.Context(), s, "payments", domain.Proposal{Changes: []domain.Change{put("limits", `1`)}})
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("the commit did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestEndedRequest: a client that goes away does not take its commit back.
func TestEndedRequest(t *testing.T) {
	s := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Update(ctx, "payments", func(now domain.Namespace) (domain.Commit, error) {
		cancel()
		return domain.Revise(now, domain.Proposal{Changes: []domain.Change{put("limits", `1`)}}, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	if snapshot, err := s.Newest(t.Context(), "payments"); err != nil || snapshot.Revision != 1 {
		t.Errorf("%+v, %v", snapshot, err)
	}
}

func TestOutbox(t *testing.T) {
	s := fresh(t)
	for i := range 5 {
		commit(t, s, "payments", put("limits", fmt.Sprint(i)))
	}
	pending, err := s.Pending(t.Context(), 0, 3)
	if err != nil || len(pending) != 3 || pending[0].Revision != 1 || pending[2].Revision != 3 || pending[0].Epoch != s.Epoch() {
		t.Fatalf("%+v, %v", pending, err)
	}
	if err := s.Drop(t.Context(), pending[2].ID); err != nil {
		t.Fatal(err)
	}
	rest, err := s.Pending(t.Context(), 0, 10)
	if err != nil || len(rest) != 2 || rest[0].Revision != 4 {
		t.Fatalf("%+v, %v", rest, err)
	}
	if err := s.Drop(t.Context(), rest[1].ID); err != nil {
		t.Fatal(err)
	}
	commit(t, s, "payments", put("limits", `"again"`))
	if next, err := s.Pending(t.Context(), rest[1].ID, 10); err != nil || len(next) != 1 {
		t.Errorf("an ID was used twice: %+v, %v", next, err)
	}
}

func TestFleetIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	seen := time.Now().UTC().Truncate(time.Millisecond)
	mark := domain.Mark{Position: config.Position{Epoch: s.Epoch(), Revision: 4}, At: seen}
	agents := []domain.Agent{
		{Registration: domain.Registration{ID: "bare"}, LastSeen: seen.Add(-time.Hour)},
		{
			Registration: domain.Registration{ID: "host-7", Hostname: "h", Labels: map[string]string{"zone": "a"}, Version: "1", Namespaces: []config.Name{"payments"}},
			Assigned:     []config.Name{"audit"}, Interval: 1500 * time.Millisecond, LastSeen: seen, Fetched: map[config.Name]domain.Mark{"payments": mark},
			StoppedAt: seen.Add(time.Minute),
		},
	}
	standings := []domain.Standing{
		{Worker: "w-1", Agent: "host-7", Namespace: "payments", Running: &mark, LastSeen: seen, LastRejected: &domain.Rejection{Mark: mark, Code: "decode", Message: "no"}},
		{Worker: "w-2", Agent: "host-7", Namespace: "payments", LastSeen: seen.Add(-time.Hour), Said: seen, StoppedAt: seen.Add(time.Second)},
	}
	for range 2 { // what is kept twice is kept once
		if err := s.Save(t.Context(), agents, standings); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, path)
	gotAgents, gotStandings, err := s.Load(t.Context())
	if err != nil || len(gotAgents) != 2 || len(gotStandings) != 2 {
		t.Fatalf("%+v, %+v, %v", gotAgents, gotStandings, err)
	}
	a := gotAgents[1]
	if a.ID != "host-7" || a.Labels["zone"] != "a" || a.Interval != 1500*time.Millisecond || !a.LastSeen.Equal(seen) ||
		a.Fetched["payments"] != mark || len(a.Follows()) != 2 {
		t.Errorf("%+v", a)
	}
	if left := gotStandings[1]; !a.StoppedAt.Equal(seen.Add(time.Minute)) || !left.Same(standings[1]) || !left.Said.Equal(seen) {
		t.Errorf("goodbyes: %+v, %+v", a, left)
	}
	w := gotStandings[0]
	if !w.Same(standings[0]) || !w.LastSeen.Equal(seen) || gotStandings[1].Running != nil || gotStandings[1].LastRejected != nil {
		t.Errorf("%+v", gotStandings)
	}
	if err := s.Forget(t.Context(), seen.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if gotAgents, gotStandings, err = s.Load(t.Context()); err != nil || len(gotAgents) != 1 || len(gotStandings) != 1 {
		t.Errorf("%+v, %+v, %v", gotAgents, gotStandings, err)
	}
}

func TestManyStandingsAtOnce(t *testing.T) {
	s := fresh(t)
	var standings []domain.Standing
	for i := range 1234 {
		standings = append(standings, domain.Standing{Worker: fmt.Sprintf("w-%d", i), Namespace: "payments", LastSeen: time.Now()})
	}
	if err := s.Save(t.Context(), nil, standings); err != nil {
		t.Fatal(err)
	}
	if _, got, err := s.Load(t.Context()); err != nil || len(got) != len(standings) {
		t.Errorf("%d of %d, %v", len(got), len(standings), err)
	}
}
