package domain_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

var (
	alice = domain.Actor{TokenID: "a1", Name: "alice", Role: domain.Publisher}
	bob   = domain.Actor{TokenID: "b1", Name: "bob", Role: domain.Publisher}
	boss  = domain.Actor{TokenID: "x1", Name: "boss", Role: domain.Admin}
)

// protected is a protected namespace of two configs and a schema, at revision 2.
func protected(t *testing.T) domain.Namespace {
	t.Helper()
	now := domain.Namespace{Name: "payments", Position: config.Position{Epoch: "e"}, Settings: domain.DefaultSettings}
	now = past(t, now, domain.Proposal{Changes: []domain.Change{sized(0, 10), sized(1, 10)}})
	now = past(t, now, domain.Proposal{Schemas: []domain.Change{schema("c0", "{}")}})
	now.Settings.Protected = true
	return now
}

func schema(name config.Name, body string) domain.Change {
	return domain.Change{Op: domain.PutSchema, Name: name, Document: config.Document{MediaType: "application/schema+json", Body: []byte(body)}}
}

// after makes a commit that must be made, past any protection.
func past(t *testing.T, now domain.Namespace, p domain.Proposal) domain.Namespace {
	t.Helper()
	p.Actor = boss
	commit, err := domain.Revise(now, p, time.Now())
	if err != nil || commit.Waiting != nil {
		t.Fatal(err, commit.Waiting)
	}
	return now.After(commit)
}

// proposed has alice propose.
func proposed(t *testing.T, now domain.Namespace, p domain.Proposal) domain.Proposed {
	t.Helper()
	p.Actor, p.Author = alice, alice.Name
	commit, err := domain.Revise(now, p, time.Now())
	if err != nil || commit.Waiting == nil {
		t.Fatal(err, "it does not wait")
	}
	waiting, err := domain.Queue{Last: 6}.Join(*commit.Waiting)
	if err != nil || waiting.ID != 7 {
		t.Fatal(err, waiting.ID)
	}
	return waiting
}

func TestWhoWaits(t *testing.T) {
	open := protected(t)
	open.Settings.Protected = false
	for name, c := range map[string]struct {
		now   domain.Namespace
		p     domain.Proposal
		waits bool
		err   error
	}{
		"a publisher, in a protected namespace":  {protected(t), domain.Proposal{Actor: alice}, true, nil},
		"an admin does not":                      {protected(t), domain.Proposal{Actor: boss}, false, nil},
		"an admin who asks for it":               {protected(t), domain.Proposal{Actor: boss, Wait: true}, true, nil},
		"a publisher, in another namespace":      {open, domain.Proposal{Actor: alice}, false, nil},
		"a publisher there who asks for it":      {open, domain.Proposal{Actor: alice, Wait: true}, true, nil},
		"an approval has waited":                 {protected(t), domain.Proposal{Actor: alice, Approval: &domain.Approval{By: bob}}, false, nil},
		"who has no role waits as others do":     {protected(t), domain.Proposal{Actor: domain.Actor{Name: "herald"}}, true, nil},
		"nobody can tell one anonymous from two": {protected(t), domain.Proposal{Actor: domain.Anonymous}, false, domain.ErrForbidden},
		"not even where it is asked for":         {open, domain.Proposal{Actor: domain.Anonymous, Wait: true}, false, domain.ErrForbidden},
		"elsewhere anonymous is as ever":         {open, domain.Proposal{Actor: domain.Anonymous}, false, nil},
	} {
		c.p.Changes = []domain.Change{sized(0, 20)}
		commit, err := domain.Revise(c.now, c.p, time.Now())
		if !errors.Is(err, c.err) || (commit.Waiting != nil) != c.waits {
			t.Errorf("%s: waits %v, %v", name, commit.Waiting != nil, err)
		}
		if unapproved := err == nil && c.now.Settings.Protected && c.p.Actor == boss && !c.waits; commit.Unapproved != unapproved {
			t.Errorf("%s: past the protection is %v", name, commit.Unapproved)
		}
	}
}

// TestNothingWaitsThatWouldBeRefused: what is wrong with it is said first.
func TestNothingWaitsThatWouldBeRefused(t *testing.T) {
	refusal := errors.New("against the schema")
	for want, p := range map[error]domain.Proposal{
		domain.ErrGuardEmpty:   {Changes: []domain.Change{sized(0, 0)}},
		domain.ErrStaleBase:    {Changes: []domain.Change{sized(0, 9)}, Base: new(config.Revision(1))},
		domain.ErrPrecondition: {Changes: []domain.Change{sized(0, 9)}, Match: &domain.Condition{IfNoneMatch: &domain.Tags{Any: true}}},
		domain.ErrNotFound:     {Changes: []domain.Change{deletion(7)}},
		refusal:                {Changes: []domain.Change{sized(0, 9)}, Checks: []domain.Check{func(domain.Namespace, domain.Commit) error { return refusal }}},
	} {
		p.Actor = alice
		if commit, err := domain.Revise(protected(t), p, time.Now()); !errors.Is(err, want) || commit.Waiting != nil {
			t.Errorf("want %v, got %v", want, err)
		}
	}
	unchanged, err := domain.Revise(protected(t), domain.Proposal{Actor: alice, Changes: []domain.Change{sized(0, 10)}}, time.Now())
	if err != nil || unchanged.Changed() || unchanged.Waiting != nil {
		t.Errorf("what changes nothing waits for nobody: %v", err)
	}
}

func TestWhoApproves(t *testing.T) {
	now := protected(t)
	p := proposed(t, now, domain.Proposal{Changes: []domain.Change{sized(0, 20)}})
	for name, c := range map[string]struct {
		by   domain.Actor
		want error
	}{
		"another publisher":          {bob, nil},
		"an admin":                   {boss, nil},
		"the author":                 {alice, domain.ErrForbidden},
		"another token of the name":  {domain.Actor{TokenID: "a2", Name: "alice", Role: domain.Publisher}, domain.ErrForbidden},
		"an admin of the same name":  {domain.Actor{Name: "alice", Role: domain.Admin}, domain.ErrForbidden},
		"nobody in particular":       {domain.Anonymous, domain.ErrForbidden},
		"a name that only begins so": {domain.Actor{Name: "alice2", Role: domain.Publisher}, nil},
	} {
		if err := p.Approvable(c.by, now, time.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADecisionIsForGood(t *testing.T) {
	now := protected(t)
	p := proposed(t, now, domain.Proposal{Changes: []domain.Change{sized(0, 20)}})
	made, err := domain.Revise(now, p.Proposal(bob), time.Now())
	if err != nil || made.Author != "alice" || made.Approval.By != bob || made.Waiting != nil {
		t.Fatal(err, made)
	}
	rejected, _ := p.Reject(bob, "why", time.Now())
	withdrawn, _ := p.Reject(domain.Actor{TokenID: "a2", Name: "alice"}, "", time.Now())
	for state, decided := range map[domain.ProposalState]domain.Proposed{
		domain.ProposalApproved: p.Approve("", made), domain.ProposalRejected: rejected, domain.ProposalWithdrawn: withdrawn,
	} {
		if decided.State != state || decided.StateAt(p.ExpiresAt()) != state {
			t.Errorf("%s, want %s", decided.State, state)
		}
		if err := decided.Approvable(boss, now, time.Now()); !errors.Is(err, domain.ErrPrecondition) {
			t.Errorf("%s was approved: %v", state, err)
		}
		if _, err := decided.Reject(boss, "", time.Now()); !errors.Is(err, domain.ErrPrecondition) {
			t.Errorf("%s was rejected: %v", state, err)
		}
	}
}

func TestProposalsExpire(t *testing.T) {
	now := protected(t)
	p := proposed(t, now, domain.Proposal{Changes: []domain.Change{sized(0, 20)}})
	last := p.ExpiresAt().Add(-time.Millisecond)
	if p.StateAt(last) != domain.ProposalOpen || p.Approvable(bob, now, last) != nil {
		t.Error("it expired too soon")
	}
	if p.StateAt(p.ExpiresAt()) != domain.ProposalExpired || !errors.Is(p.Approvable(bob, now, p.ExpiresAt()), domain.ErrPrecondition) {
		t.Error("it does not expire")
	}
}

func TestWhatMovesABase(t *testing.T) {
	base := new(config.Revision(2))
	for _, c := range []struct {
		name string
		p    domain.Proposal
		then []domain.Proposal // what an admin does meanwhile
		says string            // of the refusal, "" for none
	}{
		{"nothing", domain.Proposal{Changes: []domain.Change{sized(0, 20)}}, nil, ""},
		{"another config", domain.Proposal{Changes: []domain.Change{sized(0, 20)}}, changes(sized(1, 30)), ""},
		{"the same config", domain.Proposal{Changes: []domain.Change{sized(0, 20)}}, changes(sized(0, 30)), "/c0 was changed by revision 3"},
		{"the same config, there and back", domain.Proposal{Changes: []domain.Change{sized(0, 20)}}, append(changes(sized(0, 30)), changes(sized(0, 10))...), "/c0 was changed by revision 4"},
		{"its deletion", domain.Proposal{Changes: []domain.Change{sized(0, 20)}}, changes(deletion(0)), "/c0 was changed by revision 3"},
		{"a deletion of what is deleted", domain.Proposal{Changes: []domain.Change{deletion(0)}}, changes(deletion(0)), "/c0 was changed by revision 3"},
		{"a new one of the same name", domain.Proposal{Changes: []domain.Change{sized(5, 20)}}, changes(sized(5, 30)), "/c5 was changed by revision 3"},
		{"a new one that came and went", domain.Proposal{Changes: []domain.Change{sized(5, 20)}}, append(changes(sized(5, 30)), changes(deletion(5))...), "/c5 was changed by revision 4"},
		{"another config, of a strict one", domain.Proposal{Base: base, Changes: []domain.Change{sized(0, 20)}}, changes(sized(1, 30)), "made at revision 2 of payments, which stands at 3 now"},
		{"another config, of a whole one", domain.Proposal{Whole: true, Changes: []domain.Change{sized(0, 10)}}, changes(sized(7, 30)), "which stands at 3 now"},
		{"a schema of the name of a config", domain.Proposal{Changes: []domain.Change{sized(0, 20)}}, schemas(schema("c0", `{"a":1}`)), ""},
		{"the same schema", domain.Proposal{Schemas: []domain.Change{schema("c0", `{"b":1}`)}}, schemas(schema("c0", `{"a":1}`)), "/c0 was changed by revision 3"},
		{"a config of the name of a schema", domain.Proposal{Schemas: []domain.Change{schema("c0", `{"b":1}`)}}, changes(sized(0, 30)), ""},
		{"a schema that is deleted", domain.Proposal{Schemas: []domain.Change{schema("c0", `{"b":1}`)}}, schemas(domain.Change{Op: domain.DeleteSchema, Name: "c0"}), "/c0 was deleted since"},
	} {
		now := protected(t)
		p := proposed(t, now, c.p)
		for _, then := range c.then {
			now = past(t, now, then)
		}
		switch err := p.Approvable(bob, now, time.Now()); {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.says != "" && (!errors.Is(err, domain.ErrStaleBase) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	now := protected(t)
	p := proposed(t, now, domain.Proposal{Changes: []domain.Change{sized(0, 20)}})
	if now.Epoch = "another"; !errors.Is(p.Approvable(bob, now, time.Now()), domain.ErrStaleBase) {
		t.Error("a proposal of another epoch was approved")
	}
}

func changes(all ...domain.Change) []domain.Proposal {
	return []domain.Proposal{{Changes: all, Force: true}}
}

func schemas(all ...domain.Change) []domain.Proposal { return []domain.Proposal{{Schemas: all}} }

func TestAnApprovalIsHeldToTheFreezeByWhoApproves(t *testing.T) {
	now := protected(t)
	p := proposed(t, now, domain.Proposal{Changes: []domain.Change{sized(0, 20)}})
	now.Settings.FrozenUntil = time.Now().Add(time.Hour)
	if _, err := domain.Revise(now, p.Proposal(bob), time.Now()); !errors.Is(err, domain.ErrFrozen) {
		t.Errorf("a publisher passed the freeze: %v", err)
	}
	if _, err := domain.Revise(now, p.Proposal(boss), time.Now()); err != nil {
		t.Errorf("an admin did not: %v", err)
	}
}

func TestHowMuchMayWait(t *testing.T) {
	big := domain.Proposed{Changes: []domain.Change{sized(0, config.MaxDocument)}}
	for name, c := range map[string]struct {
		q    domain.Queue
		held bool
	}{
		"the last that may":        {domain.Queue{Open: domain.MaxProposals - 1}, false},
		"one too many":             {domain.Queue{Open: domain.MaxProposals}, true},
		"to the last byte":         {domain.Queue{Open: 1, Bytes: domain.MaxProposalBytes - config.MaxDocument}, false},
		"a byte too many":          {domain.Queue{Open: 1, Bytes: domain.MaxProposalBytes - config.MaxDocument + 1}, true},
		"one alone, however large": {domain.Queue{Bytes: domain.MaxProposalBytes}, false},
	} {
		if _, err := c.q.Join(big); errors.Is(err, domain.ErrTooManyProposals) != c.held {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSumOfAProposal: another document, op, name or type is another sum.
func TestSumOfAProposal(t *testing.T) {
	seen := map[domain.Hash]string{}
	typed := sized(0, 2)
	typed.MediaType = "text/html"
	for name, p := range map[string]domain.Proposed{
		"one": {Changes: []domain.Change{sized(0, 2)}}, "longer": {Changes: []domain.Change{sized(0, 3)}}, "named": {Changes: []domain.Change{sized(1, 2)}},
		"deleted": {Changes: []domain.Change{deletion(0)}}, "two": {Changes: []domain.Change{sized(0, 2), sized(1, 2)}}, "typed": {Changes: []domain.Change{typed}},
	} {
		if other, ok := seen[p.Sum()]; ok {
			t.Errorf("%s and %s have the same sum", name, other)
		}
		seen[p.Sum()] = name
	}
}
