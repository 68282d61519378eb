package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

// A slowSet tells that a check began, and goes on only when it is let.
type slowSet struct {
	fakeSet
	began, let chan struct{}
}

func (s slowSet) Check(name config.Name, d config.Document) error {
	if string(d.Body) == "slow" {
		s.began <- struct{}{}
		<-s.let
	}
	return s.fakeSet.Check(name, d)
}

// hold opens configs on a real store, held to schemas that read makes, with what
// stands between the two.
func hold(t *testing.T, between func(*repository.Store) usecase.Store, read func(map[config.Name][]byte) usecase.SchemaSet) (*usecase.Configs, *repository.Store) {
	t.Helper()
	store, err := repository.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	configs, err := usecase.NewConfigs(t.Context(), between(store), store, store, quiet)
	if err != nil {
		t.Fatal(err)
	}
	configs.HoldTo(usecase.NewSchemas(store, store, read))
	return configs, store
}

func straight(s *repository.Store) usecase.Store { return s }

func putSchema(name config.Name, body string) domain.Proposal {
	return domain.Proposal{Schemas: []domain.Change{{Op: domain.PutSchema, Name: name, Document: config.Document{MediaType: "application/schema+json", Body: []byte(body)}}}}
}

// TestASlowSchemaHoldsNobodyElse checks a document that takes as long as the test
// likes: other namespaces are written meanwhile, and its own is read.
func TestASlowSchemaHoldsNobodyElse(t *testing.T) {
	began, let := make(chan struct{}), make(chan struct{})
	configs, _ := hold(t, straight, func(all map[config.Name][]byte) usecase.SchemaSet {
		return slowSet{fakeSet{all}, began, let}
	})
	commit(t, configs, "payments", putSchema("limits", ""))
	slow := make(chan error, 1)
	go func() {
		_, err := configs.Commit(context.Background(), "payments", put("limits", "slow"))
		slow <- err
	}()
	await(t, began)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // the store's own limit is shorter
	defer cancel()
	for _, p := range []domain.Proposal{put("limits", "1"), putSchema("limits", "1"), put("limits", "1 2")} {
		if made, err := configs.Commit(ctx, "billing", p); err != nil || !made.Changed() {
			t.Fatalf("another namespace is not written meanwhile: %v", err)
		}
	}
	if snapshot, _, err := configs.Latest(ctx, "payments"); err != nil || snapshot.Revision != 1 {
		t.Errorf("its own is not read meanwhile: %v", err)
	}
	select {
	case err := <-slow:
		t.Fatalf("the slow check was not waited for: %v", err)
	default:
	}
	close(let)
	if err := <-slow; err != nil {
		t.Errorf("the slow one: %v", err)
	}
}

func await(t *testing.T, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(30 * time.Second):
		t.Fatal("it never came")
	}
}

// A meddler is a store in which somebody else commits once, behind the back of the
// lock that keeps a namespace's commits apart.
type meddler struct {
	usecase.Store
	meddle func(usecase.Store)
	at     int // before which call
	calls  int
}

func (m *meddler) Update(ctx context.Context, namespace config.Name, revise func(domain.Namespace) (domain.Commit, error)) (domain.Commit, error) {
	if m.calls++; m.calls == m.at { // after the commit was judged
		m.meddle(m.Store)
	}
	return m.Store.Update(ctx, namespace, revise)
}

// TestWhatWasJudgedMustStillStand lets a schema come between a commit's judgement
// and its transaction: the commit is judged again, by the schema that stands. It is
// judged before the first transaction where what stands is remembered, and after
// it otherwise.
func TestWhatWasJudgedMustStillStand(t *testing.T) {
	for name, at := range map[string]int{"remembered": 1, "not remembered": 2} {
		t.Run(name, func(t *testing.T) {
			m := &meddler{}
			read := func(all map[config.Name][]byte) usecase.SchemaSet { return fakeSet{all} }
			configs, store := hold(t, func(s *repository.Store) usecase.Store {
				m.Store = s
				return m
			}, read)
			commit(t, configs, "payments", putSchema("limits", "rps"))
			commit(t, configs, "payments", put("limits", "rps burst"))
			if at == 2 { // as after a restart
				var err error
				if configs, err = usecase.NewConfigs(t.Context(), m, store, store, quiet); err != nil {
					t.Fatal(err)
				}
				configs.HoldTo(usecase.NewSchemas(store, store, read))
			}
			m.calls, m.at, m.meddle = 0, at, func(behind usecase.Store) { keepBehind(t, behind, putSchema("limits", "burst")) }
			if _, err := configs.Commit(t.Context(), "payments", put("limits", "rps")); !errors.Is(err, errUnmet) {
				t.Errorf("a config was judged by a schema that is gone: %v", err)
			}
			if entry, err := store.Document(t.Context(), "payments", "limits", 3); err != nil || string(entry.Body) != "rps burst" {
				t.Errorf("%q stands, %v", entry.Body, err)
			}
			if m.calls != at {
				t.Errorf("the transaction ran %d times", m.calls)
			}
		})
	}
}

// keepBehind commits without any lock or check.
func keepBehind(t *testing.T, store usecase.Store, p domain.Proposal) {
	t.Helper()
	_, err := store.Update(t.Context(), "payments", func(now domain.Namespace) (domain.Commit, error) {
		return domain.Revise(now, p, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoConfigSlipsPastItsSchema lets writers of configs and of schemas at one
// namespace, and then goes through all that was ever kept: at no revision does a
// config stand that its schema refuses.
func TestNoConfigSlipsPastItsSchema(t *testing.T) {
	configs, store := hold(t, straight, func(all map[config.Name][]byte) usecase.SchemaSet { return fakeSet{all} })
	words := []string{"a", "b", "a b"}
	var group sync.WaitGroup
	for writer := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(writer)))
			for n := range 25 {
				word := words[random.IntN(len(words))]
				p := put("limits", fmt.Sprintf("%s %d %d", word, writer, n))
				if writer%2 == 1 {
					p = putSchema("limits", word)
				}
				if _, err := configs.Commit(t.Context(), "payments", p); err != nil && !errors.Is(err, errUnmet) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	at, err := configs.Position(t.Context(), "payments")
	if err != nil || at.Revision < 10 {
		t.Fatalf("%v %v", at, err)
	}
	held := 0
	for revision := config.Revision(1); revision <= at.Revision; revision++ {
		document, none := store.Document(t.Context(), "payments", "limits", revision)
		schema, free := store.Schema(t.Context(), "payments", "limits", revision)
		if none != nil || free != nil {
			continue
		}
		held++
		if err := (fakeSet{map[config.Name][]byte{"limits": schema.Body}}).Check("limits", document.Document); err != nil {
			t.Errorf("at revision %d %q stands against %q", revision, document.Body, schema.Body)
		}
	}
	if held < 5 {
		t.Errorf("only %d revisions had both", held)
	}
}

// TestJudgingEnds gives a commit of many documents as long as it may take, and no
// longer; and a client that goes away ends it too.
func TestJudgingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schemas := usecase.NewSchemas(noSchemas{}, nil, func(map[config.Name][]byte) usecase.SchemaSet { return sleepySet{} })
		configs := configsOf(t, newMemory())
		configs.HoldTo(schemas)
		p := domain.Proposal{}
		for i := range 100 {
			name := config.Name(fmt.Sprintf("c-%d", i))
			p.Schemas = append(p.Schemas, putSchema(name, "{}").Schemas...)
			p.Changes = append(p.Changes, put(name, "1").Changes...)
		}
		began := time.Now()
		if _, err := configs.Commit(t.Context(), "payments", p); !errors.Is(err, usecase.ErrTooCostly) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took < 15*time.Second || took > 17*time.Second {
			t.Errorf("after %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := configs.Commit(ctx, "payments", p); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, usecase.ErrTooCostly) {
			t.Errorf("whoever asked is gone: %v", err)
		}
	})
}

// A sleepySet takes a second for each document.
type sleepySet struct{}

func (sleepySet) Uses(name config.Name) ([]config.Name, error) { return []config.Name{name}, nil }

func (sleepySet) Check(config.Name, config.Document) error {
	time.Sleep(time.Second)
	return nil
}

type noSchemas struct{ usecase.SchemaStore }
