package repository_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/shared/config"
)

var (
	author   = domain.Actor{TokenID: "a1", Name: "alice", Role: domain.Publisher}
	approver = domain.Actor{TokenID: "b1", Name: "bob", Role: domain.Publisher}
)

// propose has alice propose changes of payments, made at that time.
func propose(t *testing.T, s *repository.Store, at time.Time, changes ...domain.Change) domain.Proposed {
	t.Helper()
	var waiting *domain.Proposed
	_, err := s.Update(t.Context(), "payments", func(now domain.Namespace) (domain.Commit, error) {
		made, err := domain.Revise(now, domain.Proposal{Author: "alice", Actor: author, Message: "why", Wait: true, Force: true, Changes: changes}, at)
		waiting = made.Waiting
		return domain.Commit{}, err
	})
	if err != nil || waiting == nil {
		t.Fatal(err, "it does not wait")
	}
	kept, err := s.Propose(t.Context(), "payments", func(q domain.Queue) (domain.Proposed, error) { return q.Join(*waiting) })
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// approve approves as package usecase does.
func approve(t *testing.T, s *repository.Store, id int64) error {
	t.Helper()
	whole, err := s.Proposal(t.Context(), "payments", id)
	if err != nil {
		t.Fatal(err)
	}
	return s.Decide(t.Context(), "payments", id, func(now domain.Namespace, p domain.Proposed) (domain.Commit, domain.Proposed, error) {
		if err := p.Approvable(approver, now, time.Now()); err != nil {
			return domain.Commit{}, p, err
		}
		made, err := domain.Revise(now, whole.Proposal(approver), time.Now())
		return made, p.Approve("fine", made), err
	})
}

func reject(t *testing.T, s *repository.Store, id int64) {
	t.Helper()
	err := s.Decide(t.Context(), "payments", id, func(_ domain.Namespace, p domain.Proposed) (domain.Commit, domain.Proposed, error) {
		rejected, err := p.Reject(approver, "no", time.Now())
		return domain.Commit{}, rejected, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestProposalIsKeptAsItWasMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	commit(t, s, "payments", put("limits", "1"), put("motd", "1"))
	made := propose(t, s, time.Now(), put("limits", ` {"a": 1.0} `), remove("motd"), put("new", ""))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path) // as after a restart
	read, err := s.Proposal(t.Context(), "payments", made.ID)
	if err != nil || read.Sum() != made.Sum() || read.Base != made.Base || read.Author != author || !read.At.Equal(made.At) || read.State != domain.ProposalOpen {
		t.Fatalf("%+v, %v", read, err)
	}
	for i, change := range read.Changes {
		if change.Creates != made.Changes[i].Creates || change.ETag != made.Changes[i].ETag {
			t.Errorf("%+v, want %+v", change, made.Changes[i])
		}
	}
	if err := approve(t, s, made.ID); err != nil {
		t.Fatal(err)
	}
	if entry, err := s.Document(t.Context(), "payments", "limits", 2); err != nil || string(entry.Body) != ` {"a": 1.0} ` {
		t.Errorf("%q, %v", entry.Body, err)
	}
	commits, err := s.Commits(t.Context(), "payments", "", 0, 10)
	if err != nil || commits[0].Approval == nil || commits[0].Approval.By != approver || commits[0].Approval.Proposal != made.ID || commits[1].Approval != nil {
		t.Errorf("%+v, %v", commits, err)
	}
	if read, err = s.Proposal(t.Context(), "payments", made.ID); err != nil || read.Bytes() != 0 || read.Made != 2 || read.By != approver {
		t.Errorf("its documents are in the history now: %+v, %v", read, err)
	}
	chainOf(t, s)
}

// TestApprovalIsAllOrNothing fails each table that an approval writes to, in its
// turn: neither the commit, the decision nor the audit is there without the others.
func TestApprovalIsAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	commit(t, s, "payments", put("limits", "1"))
	made := propose(t, s, time.Now(), put("limits", "2"))
	for _, event := range []string{
		"INSERT ON commits", "INSERT ON changes", "INSERT ON outbox", "UPDATE ON proposals", "UPDATE ON proposed_changes",
		"INSERT ON audit WHEN NEW.action = 'commit'", "INSERT ON audit WHEN NEW.action = 'proposal.approve'",
	} {
		behind(t, path, "CREATE TRIGGER broken BEFORE "+event+" BEGIN SELECT RAISE(ABORT, 'no'); END")
		if err := approve(t, s, made.ID); err == nil {
			t.Errorf("%s failed, and the approval did not", event)
		}
		behind(t, path, "DROP TRIGGER broken")
		read, err := s.Proposal(t.Context(), "payments", made.ID)
		if err != nil || read.State != domain.ProposalOpen || string(read.Changes[0].Body) != "2" {
			t.Errorf("%s failed, and the proposal is %+v, %v", event, read, err)
		}
		if snapshot, err := s.Newest(t.Context(), "payments"); err != nil || snapshot.Revision != 1 {
			t.Errorf("%s failed, and the commit is there: %v", event, err)
		}
		if entries := chainOf(t, s); len(entries) != 2 {
			t.Errorf("%s failed, and %d entries tell of it", event, len(entries))
		}
	}
	if err := approve(t, s, made.ID); err != nil {
		t.Fatal(err)
	}
	if err := approve(t, s, made.ID); !errors.Is(err, domain.ErrPrecondition) {
		t.Errorf("approved twice: %v", err)
	}
	if entries := chainOf(t, s); len(entries) != 4 || entries[0].Action != "proposal.approve" || entries[0].Actor != approver || entries[1].Action != domain.ActionCommit || entries[1].Actor != author {
		t.Errorf("%+v", entries)
	}
}

// TestProposalIsNotKeptWithoutItsEntry: nor is a rejection.
func TestProposalIsNotKeptWithoutItsEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	commit(t, s, "payments", put("limits", "1"))
	made := propose(t, s, time.Now(), put("limits", "2"))
	behind(t, path, "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
	if _, err := s.Propose(t.Context(), "payments", func(q domain.Queue) (domain.Proposed, error) { return q.Join(made) }); err == nil {
		t.Error("proposed, and nobody was told")
	}
	err := s.Decide(t.Context(), "payments", made.ID, func(_ domain.Namespace, p domain.Proposed) (domain.Commit, domain.Proposed, error) {
		rejected, err := p.Reject(approver, "", time.Now())
		return domain.Commit{}, rejected, err
	})
	if err == nil {
		t.Error("rejected, and nobody was told")
	}
	behind(t, path, "DROP TRIGGER full")
	if all, err := s.Proposals(t.Context(), "payments", "", 0, 10); err != nil || len(all) != 1 || all[0].State != domain.ProposalOpen {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestWhatCameToNothingIsForgotten: only so much of it is kept, no number is used
// again, and neither what waits nor what was approved goes.
func TestWhatCameToNothingIsForgotten(t *testing.T) {
	s := fresh(t)
	commit(t, s, "payments", put("limits", "0"))
	open, approved := propose(t, s, time.Now(), put("open", "1")), propose(t, s, time.Now(), put("made", "1"))
	if err := approve(t, s, approved.ID); err != nil {
		t.Fatal(err)
	}
	for range 205 {
		reject(t, s, propose(t, s, time.Now(), put("limits", "1")).ID)
	}
	last := propose(t, s, time.Now(), put("limits", "2"))
	if last.ID != 208 {
		t.Errorf("the number is %d", last.ID)
	}
	rejected, err := s.Proposals(t.Context(), "payments", domain.ProposalRejected, 0, 1000)
	if err != nil || len(rejected) != 200 || rejected[199].ID != 8 {
		t.Errorf("%d are kept, %v", len(rejected), err)
	}
	for _, id := range []int64{open.ID, approved.ID, last.ID} {
		if _, err := s.Proposal(t.Context(), "payments", id); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Proposal(t.Context(), "payments", 3); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("the oldest is still there: %v", err)
	}
}

func TestExpiredProposalsTakeNoRoom(t *testing.T) {
	s := fresh(t)
	commit(t, s, "payments", put("limits", "0"))
	old := propose(t, s, time.Now().Add(-domain.ProposalsFor-time.Second), put("limits", "1"))
	propose(t, s, time.Now(), put("limits", "1"))
	for state, want := range map[domain.ProposalState]int64{domain.ProposalExpired: 1, domain.ProposalOpen: 2} {
		if found, err := s.Proposals(t.Context(), "payments", state, 0, 10); err != nil || len(found) != 1 || found[0].ID != want {
			t.Errorf("%s: %+v, %v", state, found, err)
		}
	}
	if err := approve(t, s, old.ID); !errors.Is(err, domain.ErrPrecondition) {
		t.Errorf("it was approved all the same: %v", err)
	}
	_, _ = s.Propose(t.Context(), "payments", func(q domain.Queue) (domain.Proposed, error) {
		if q.Open != 1 || q.Last != 2 || q.Bytes != 1 {
			t.Errorf("%+v", q)
		}
		return domain.Proposed{}, domain.ErrTooManyProposals
	})
}

// TestCompactionKeepsWhatAProposalWasMadeAt: so that what moved on can be shown.
func TestCompactionKeepsWhatAProposalWasMadeAt(t *testing.T) {
	s := fresh(t)
	for i := range 4 {
		commit(t, s, "payments", put("limits", fmt.Sprint(i)))
	}
	waits := propose(t, s, time.Now(), put("limits", "9")) // at revision 4
	for i := range 3 {
		commit(t, s, "payments", put("limits", fmt.Sprint(10+i)))
	}
	all, _ := compact(t, s, domain.Retention{Revisions: 1}, time.Now())
	if all.KeptFrom != 4 || names(all) != "put limits@1;put limits@2;put limits@3;" {
		t.Errorf("from %d on: %s", all.KeptFrom, names(all))
	}
	if _, err := s.Document(t.Context(), "payments", "limits", waits.Base.Revision); err != nil {
		t.Errorf("what it was made at is gone: %v", err)
	}
	reject(t, s, waits.ID)
	if all, _ = compact(t, s, domain.Retention{Revisions: 1}, time.Now()); all.KeptFrom != config.Revision(7) || all.Documents != 3 {
		t.Errorf("it is held back for ever: %+v", all)
	}
}
