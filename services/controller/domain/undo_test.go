package domain_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// TestWhole: what the proposal does not name goes, and a proposal of nothing is a
// namespace of nothing.
func TestWhole(t *testing.T) {
	now := guarded(t, 1, 1, 1)
	made, err := domain.Revise(now, domain.Proposal{Whole: true, Changes: []domain.Change{sized(1, 1), sized(9, 1)}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, change := range made.Changes {
		did = append(did, string(change.Op)+" "+string(change.Name))
	}
	if got := strings.Join(did, ", "); got != "delete c0, delete c2, put c9" {
		t.Error(got)
	}
	if made, err := domain.Revise(now, domain.Proposal{Whole: true}, time.Now()); err != nil || len(made.Changes) != 3 {
		t.Errorf("%+v, %v", made, err)
	}
	if made, err := domain.Revise(domain.Namespace{}, domain.Proposal{Whole: true}, time.Now()); err != nil || made.Changed() {
		t.Errorf("%+v, %v", made, err)
	}
	if _, err := domain.Revise(guarded(t, 1, 1, 1, 1), domain.Proposal{Whole: true}, time.Now()); !errors.Is(err, domain.ErrGuardMassChange) {
		t.Errorf("the guards hold it: %v", err)
	}
}

// TestUndoes: a commit is taken back only where nothing later touched the same.
func TestUndoes(t *testing.T) {
	now := guarded(t, 1, 1, 1) // revision 1
	step := func(changes ...domain.Change) {
		t.Helper()
		made, err := domain.Revise(now, domain.Proposal{Changes: changes}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		now = now.After(made)
	}
	step(sized(0, 2), deletion(1)) // 2
	undo := domain.Proposal{Undoes: 2, Changes: []domain.Change{sized(0, 1), sized(1, 1)}}
	step(sized(2, 2)) // 3, which is about another
	if made, err := domain.Revise(now, undo, time.Now()); err != nil || len(made.Changes) != 2 {
		t.Errorf("%+v, %v", made, err)
	}
	step(sized(0, 3)) // 4
	_, err := domain.Revise(now, undo, time.Now())
	faulty, ok := errors.AsType[*config.FaultyDocument](err)
	if !errors.Is(err, domain.ErrStaleBase) || !ok || len(faulty.Faults) != 1 || faulty.Faults[0].Path != "/c0" || !strings.Contains(err.Error(), "revision 4") {
		t.Errorf("%v", err)
	}
}
