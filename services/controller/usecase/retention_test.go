package usecase_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

// An attic drops one document at a time, until none of those it has is left.
type attic struct {
	mu        sync.Mutex
	documents map[config.Name]int
	retained  map[config.Name]domain.Retention
	by        []domain.Actor
	fails     error
}

func (a *attic) Retained(context.Context) (map[config.Name]domain.Retention, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.retained, a.fails
}

func (a *attic) Compactable(_ context.Context, namespace config.Name, _ domain.Retention, _ time.Time) (domain.Compaction, error) {
	return domain.Compaction{Namespace: namespace, Documents: a.documents[namespace]}, nil
}

func (a *attic) Compact(_ context.Context, namespace config.Name, _ domain.Retention, by domain.Actor, _ time.Time) (domain.Compaction, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	did := domain.Compaction{Namespace: namespace}
	if a.fails != nil || a.documents[namespace] == 0 {
		return did, false, a.fails
	}
	a.documents[namespace]--
	a.by = append(a.by, by)
	did.Add(domain.Dropped{Revision: 1, Op: domain.Put, Name: "c", Size: 10})
	return did, a.documents[namespace] > 0, nil
}

// TestRetentionRuns: hourly, each namespace that does not keep everything, until
// nothing is left; a store that fails is asked again an hour later.
func TestRetentionRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &attic{documents: map[config.Name]int{"payments": 3, "other": 2}, retained: map[config.Name]domain.Retention{"payments": {Revisions: 1}}}
		r := usecase.NewRetention(a, quiet)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.Run(ctx)
		time.Sleep(59 * time.Second)
		if documents, _ := r.Dropped(); documents != 0 {
			t.Fatal("it begins with the start, when everybody pulls")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		a.mu.Lock()
		if documents, bytes := r.Dropped(); documents != 3 || bytes != 30 || a.documents["other"] != 2 || a.by[0] != usecase.ByItself {
			t.Errorf("%d documents, %d bytes, by %v; left %v", documents, bytes, a.by, a.documents)
		}
		a.documents["payments"], a.fails = 1, usecase.ErrUnavailable
		a.mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		a.mu.Lock()
		a.fails = nil
		a.mu.Unlock()
		time.Sleep(time.Hour)
		if synctest.Wait(); a.documents["payments"] != 0 {
			t.Error("it gave up")
		}
	})
}

// TestCompactStops: who goes away is not compacted for any further.
func TestCompactStops(t *testing.T) {
	a := &attic{documents: map[config.Name]int{"payments": 3}}
	r := usecase.NewRetention(a, quiet)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	did, err := r.Compact(ctx, "payments", domain.Retention{Revisions: 1}, domain.Anonymous)
	if !errors.Is(err, context.Canceled) || did.Documents != 1 || a.documents["payments"] != 2 {
		t.Errorf("%+v, %v", did, err)
	}
}
