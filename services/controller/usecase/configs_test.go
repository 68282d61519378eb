package usecase_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

var quiet = slog.New(slog.DiscardHandler)

// A memory is a store that keeps namespaces in memory and can fail as a disk does.
type memory struct {
	mu         sync.Mutex
	namespaces map[config.Name]domain.Namespace
	snapshots  map[config.Name]*config.Snapshot
	reads      int
	failWrite  error // instead of the answer to a write
	keepFailed bool  // whether the write that fails is kept after all
	failRead   error
}

func newMemory() *memory {
	return &memory{namespaces: map[config.Name]domain.Namespace{}, snapshots: map[config.Name]*config.Snapshot{}}
}

func (m *memory) Update(_ context.Context, name config.Name, revise func(domain.Namespace) (domain.Commit, error)) (domain.Commit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, ok := m.namespaces[name]
	if !ok {
		now = domain.Namespace{Name: name, Position: config.Position{Epoch: "01E"}}
	}
	commit, err := revise(now)
	if err != nil || !commit.Changed() {
		return commit, err
	}
	if m.failWrite == nil || m.keepFailed {
		m.namespaces[name] = now.After(commit)
		var entries []config.Entry
		if held := m.snapshots[name]; held != nil {
			for _, e := range held.Configs {
				if _, stands := m.namespaces[name].Configs[e.Name]; stands && e.Name != commit.Changes[0].Name {
					entries = append(entries, e)
				}
			}
		}
		for _, change := range commit.Changes {
			if change.Op == domain.Put {
				entries = append(entries, config.Entry{Name: change.Name, Revision: commit.Revision, Document: change.Document})
			}
		}
		var tombstones []config.Tombstone
		for gone, revision := range m.namespaces[name].Tombstones {
			tombstones = append(tombstones, config.Tombstone{Name: gone, Revision: revision})
		}
		m.snapshots[name] = config.Seal(name, commit.Position, entries, tombstones)
	}
	return commit, m.failWrite
}

func (m *memory) Newest(_ context.Context, name config.Name) (*config.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.failRead != nil {
		return nil, m.failRead
	}
	if m.snapshots[name] == nil {
		return nil, domain.ErrNotFound
	}
	return m.snapshots[name], nil
}

func (m *memory) Names(context.Context) ([]config.Name, error) {
	var names []config.Name
	for name := range m.namespaces {
		names = append(names, name)
	}
	return names, m.failRead
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func configsOf(t *testing.T, store *memory) *usecase.Configs {
	t.Helper()
	configs, err := usecase.NewConfigs(t.Context(), store, nil, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return configs
}

func put(name config.Name, body string) domain.Proposal {
	return domain.Proposal{Changes: []domain.Change{{Op: domain.Put, Name: name, Document: config.Document{MediaType: "application/json", Body: []byte(body)}}}}
}

func commit(t *testing.T, configs *usecase.Configs, namespace config.Name, p domain.Proposal) domain.Commit {
	t.Helper()
	made, err := configs.Commit(t.Context(), namespace, p)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestCommitIsServedAtOnce(t *testing.T) {
	store := newMemory()
	configs := configsOf(t, store)
	woken := 0
	configs.OnCommit(func() { woken++ })
	_, born, err := configs.Latest(t.Context(), "payments")
	if !errors.Is(err, domain.ErrNotFound) || closed(born) {
		t.Fatalf("nothing is written: %v", err)
	}
	commit(t, configs, "payments", put("limits", `1`))
	if !closed(born) {
		t.Error("who waits for the namespace was not woken")
	}
	first, changed, err := configs.Latest(t.Context(), "payments")
	if err != nil || first.Revision != 1 || closed(changed) {
		t.Fatalf("%+v, %v", first, err)
	}
	commit(t, configs, "payments", put("limits", `1`)) // unchanged
	if closed(changed) {
		t.Error("woken for nothing")
	}
	commit(t, configs, "payments", put("limits", `2`))
	second, _, err := configs.Latest(t.Context(), "payments")
	if err != nil || !closed(changed) || second.Revision != 2 || string(second.Configs[0].Body) != "2" || string(first.Configs[0].Body) != "1" {
		t.Errorf("%s after %s, %v", second.Body, first.Body, err)
	}
	if store.reads != 0 || woken != 2 {
		t.Errorf("%d reads of the store, %d wakings of the relay", store.reads, woken)
	}
	if at, err := configs.Position(t.Context(), "payments"); err != nil || at != second.Position {
		t.Errorf("%v, %v", at, err)
	}
}

// TestSnapshotsFollowTheStore: what is worked out in memory is, byte for byte,
// what the store would say.
func TestSnapshotsFollowTheStore(t *testing.T) {
	store := newMemory()
	configs := configsOf(t, store)
	for i, p := range []domain.Proposal{
		put("b", `1`), put("a", `2`), put("b", `3`),
		{Changes: []domain.Change{{Op: domain.Delete, Name: "a"}}},
		put("a", `4`),
		{Changes: []domain.Change{{Op: domain.Delete, Name: "b"}}},
	} {
		commit(t, configs, "payments", p)
		latest, _, err := configs.Latest(t.Context(), "payments")
		if err != nil || string(latest.Body) != string(store.snapshots["payments"].Body) {
			t.Errorf("commit %d: memory has %s, the store %s, %v", i+1, latest.Body, store.snapshots["payments"].Body, err)
		}
	}
}

// TestColdStart: after a start the first pull reads the store, however many ask at
// once, and none after it does.
func TestColdStart(t *testing.T) {
	store := newMemory()
	commit(t, configsOf(t, store), "payments", put("limits", `1`))
	configs := configsOf(t, store)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if latest, _, err := configs.Latest(t.Context(), "payments"); err != nil || latest.Revision != 1 {
				t.Errorf("%+v, %v", latest, err)
			}
		})
	}
	group.Wait()
	if store.reads != 1 {
		t.Errorf("%d reads for twenty pulls", store.reads)
	}
	for range 20 {
		if _, _, err := configs.Latest(t.Context(), "nobody"); !errors.Is(err, domain.ErrNotFound) {
			t.Error(err)
		}
	}
	if store.reads != 1 {
		t.Errorf("a namespace that there is not was read: %d reads", store.reads)
	}

	cold := configsOf(t, store) // a commit before anybody has pulled
	commit(t, cold, "payments", put("more", `2`))
	if latest, _, err := cold.Latest(t.Context(), "payments"); err != nil || len(latest.Configs) != 2 {
		t.Errorf("%+v, %v", latest, err)
	}
}

// TestDryRun: it says what a commit would be, and leaves no trace.
func TestDryRun(t *testing.T) {
	store := newMemory()
	configs := configsOf(t, store)
	woken := 0
	configs.OnCommit(func() { woken++ })
	dry := put("limits", `1`)
	dry.DryRun = true
	if made := commit(t, configs, "payments", dry); made.Revision != 1 || !made.Changed() || !made.Changes[0].Creates {
		t.Errorf("%+v", made)
	}
	if _, _, err := configs.Latest(t.Context(), "payments"); !errors.Is(err, domain.ErrNotFound) || woken != 0 || len(store.namespaces) != 0 {
		t.Errorf("something was kept: %v, %d wakings, %v", err, woken, store.namespaces)
	}
	commit(t, configs, "payments", put("limits", `1`))
	if made := commit(t, configs, "payments", dry); made.Revision != 1 || made.Changed() {
		t.Errorf("nothing would change: %+v", made)
	}
	dry.Base = new(config.Revision(7))
	if _, err := configs.Commit(t.Context(), "payments", dry); !errors.Is(err, domain.ErrStaleBase) {
		t.Errorf("a refusal is said: %v", err)
	}
}

func TestRefusedCommitLeavesNothing(t *testing.T) {
	store := newMemory()
	configs := configsOf(t, store)
	for i := range 3 {
		name := config.Name(fmt.Sprintf("n%d", i))
		if _, err := configs.Commit(t.Context(), name, domain.Proposal{}); !errors.Is(err, domain.ErrEmptyCommit) {
			t.Error(err)
		}
		if _, _, err := configs.Latest(t.Context(), name); !errors.Is(err, domain.ErrNotFound) {
			t.Error(err)
		}
	}
	if store.reads != 0 {
		t.Errorf("%d reads", store.reads)
	}
}

// TestUnknownOutcome: a write that failed, and was kept all the same, is not
// acknowledged; but it is served, since agents may hear of it.
func TestUnknownOutcome(t *testing.T) {
	for _, kept := range []bool{false, true} {
		store := newMemory()
		configs := configsOf(t, store)
		commit(t, configs, "payments", put("limits", `1`))
		_, changed, _ := configs.Latest(t.Context(), "payments")
		store.failWrite, store.keepFailed = usecase.ErrUnavailable, kept
		if _, err := configs.Commit(t.Context(), "payments", put("limits", `2`)); !errors.Is(err, usecase.ErrUnavailable) {
			t.Errorf("kept %t: %v", kept, err)
		}
		if closed(changed) != kept {
			t.Errorf("kept %t: who waits was woken: %t", kept, closed(changed))
		}
		want := config.Revision(1)
		if kept {
			want = 2
		}
		if latest, _, err := configs.Latest(t.Context(), "payments"); err != nil || latest.Revision != want {
			t.Errorf("kept %t: serves %d, want %d, %v", kept, latest.Revision, want, err)
		}
		store.failWrite = nil
		if made := commit(t, configs, "payments", put("limits", `3`)); made.Revision != want+1 {
			t.Errorf("kept %t: goes on at %d", kept, made.Revision)
		}
	}
}

// TestUnknownOutcomeUnread: where even the reading fails it is tried again until
// it succeeds, and who holds a request is woken then.
func TestUnknownOutcomeUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		configs := configsOf(t, store)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go configs.Run(ctx)
		commit(t, configs, "payments", put("limits", `1`))
		_, changed, _ := configs.Latest(ctx, "payments")
		store.set(func() {
			store.failWrite, store.keepFailed, store.failRead = usecase.ErrUnavailable, true, usecase.ErrUnavailable
		})
		if _, err := configs.Commit(ctx, "payments", put("limits", `2`)); !errors.Is(err, usecase.ErrUnavailable) {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
		if latest, _, err := configs.Latest(ctx, "payments"); err != nil || latest.Revision != 1 {
			t.Errorf("what is known is served on: %+v, %v", latest, err)
		}
		store.set(func() { store.failRead, store.failWrite = nil, nil })
		time.Sleep(2 * time.Second)
		if latest, _, err := configs.Latest(ctx, "payments"); err != nil || latest.Revision != 2 || !closed(changed) {
			t.Errorf("%+v, %v", latest, err)
		}
	})
}

// TestFailingStoreIsLoggedOnce: a change is worth a line, each try is not.
func TestFailingStoreIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	store := newMemory()
	configs, err := usecase.NewConfigs(t.Context(), store, nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	store.failWrite = usecase.ErrStorageFull
	for range 5 {
		if _, err := configs.Commit(t.Context(), "payments", put("limits", `1`)); !errors.Is(err, usecase.ErrStorageFull) {
			t.Error(err)
		}
	}
	store.failWrite = nil
	commit(t, configs, "payments", put("limits", `1`))
	commit(t, configs, "payments", put("limits", `2`))
	if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), "no room left") {
		t.Errorf("%d lines:\n%s", lines, log.String())
	}
}

func TestUnreadableStoreAtStart(t *testing.T) {
	store := newMemory()
	store.failRead = usecase.ErrUnavailable
	if _, err := usecase.NewConfigs(t.Context(), store, nil, nil, quiet); !errors.Is(err, usecase.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// TestConcurrentCommits: readers only ever see revisions go up, and the last one
// is that of the last commit.
func TestConcurrentCommits(t *testing.T) {
	configs := configsOf(t, newMemory())
	commit(t, configs, "payments", put("limits", `0`))
	ctx, cancel := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			var seen config.Revision
			for ctx.Err() == nil {
				latest, _, err := configs.Latest(ctx, "payments")
				if err != nil || latest.Revision < seen {
					t.Errorf("%d after %d, %v", latest.Revision, seen, err)
					return
				}
				seen = latest.Revision
			}
		})
	}
	for writer := range 8 {
		writers.Go(func() {
			for i := range 20 {
				if _, err := configs.Commit(t.Context(), "payments", put("limits", fmt.Sprintf("%d%02d", writer+1, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	if at, err := configs.Position(t.Context(), "payments"); err != nil || at.Revision != 161 {
		t.Errorf("%v, %v", at, err)
	}
}
