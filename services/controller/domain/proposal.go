package domain

import (
	"errors"
	"fmt"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// ErrTooManyProposals means that no more proposals may wait in a namespace.
var ErrTooManyProposals = errors.New("too many proposals wait")

// ProposalsFor is how long a proposal waits for its approval.
const ProposalsFor = 30 * 24 * time.Hour

// Bounds of what waits in one namespace: so many proposals, and so many bytes of
// their documents. A proposal alone may always have a full namespace of configs and
// one of schemas.
const (
	MaxProposals     = 100
	MaxProposalBytes = 4 * config.MaxNamespace
)

// A ProposalState is what became of a proposal.
type ProposalState string

// The states of a proposal. One that is not open stays as it is.
const (
	ProposalOpen      ProposalState = "open"
	ProposalApproved  ProposalState = "approved"
	ProposalRejected  ProposalState = "rejected"
	ProposalWithdrawn ProposalState = "withdrawn" // by its author
	ProposalExpired   ProposalState = "expired"   // nobody decided in time
)

// ProposalStates are all of them.
var ProposalStates = []ProposalState{ProposalOpen, ProposalApproved, ProposalRejected, ProposalWithdrawn, ProposalExpired}

// A Proposed is a proposal that waits for the approval of another token than its
// author's, or what became of it. What it would change never does.
type Proposed struct {
	ID        int64 // 1, 2, 3 … in its namespace
	Namespace config.Name
	// Base is where the namespace stood when it was checked.
	Base config.Position
	// Strict says that the namespace must still stand there, and not just what the
	// proposal touches.
	Strict  bool
	Force   bool // it passes the guards, on purpose
	At      time.Time
	Author  Actor
	Message string
	Changes []Change // only what changes something, in name order
	Schemas []Change
	State   ProposalState
	Decision
	Receipt *Receipt // kept with it, and no part of it; nil for none
}

// A Decision is what ends a proposal. The zero Decision is none.
type Decision struct {
	At      time.Time
	By      Actor
	Message string
	Made    config.Revision // that an approval made
}

// An Approval says which proposal a commit was, and who approved it.
type Approval struct {
	Proposal int64
	By       Actor
}

// Waits reports whether the commit that a proposal asks for has to wait for an
// approval. Who nobody could be told from has nobody to wait for: the error then
// wraps ErrForbidden.
func (n Namespace) Waits(p Proposal) (bool, error) {
	switch {
	case p.Approval != nil:
		return false, nil
	case !p.Wait && !n.Settings.Protected:
		return false, nil
	case p.Actor == Anonymous:
		return false, fmt.Errorf("%w: what waits in %s needs the approval of another token, and there are no tokens: make some, or end its protection", ErrForbidden, n.Name)
	}
	return p.Wait || p.Actor.Role != Admin, nil
}

// waiting makes of a commit the proposal that waits in its place.
func (c Commit) waiting(now Namespace, p Proposal) *Proposed {
	return &Proposed{
		Namespace: c.Namespace, Base: now.Position, Strict: p.Base != nil || p.Whole, Force: p.Force,
		At: c.At, Author: p.Actor, Message: c.Message, Changes: c.Changes, Schemas: c.Schemas, State: ProposalOpen,
	}
}

// A Queue is how much waits in a namespace.
type Queue struct {
	Last  int64 // the number of the newest proposal, 0 for none
	Open  int
	Bytes int
}

// Join numbers a proposal behind those that wait. The error wraps
// ErrTooManyProposals.
func (q Queue) Join(p Proposed) (Proposed, error) {
	switch bytes := q.Bytes + p.Bytes(); {
	case q.Open >= MaxProposals:
		return p, fmt.Errorf("%w: %s has %d, which is as many as may wait: approve, reject or withdraw some", ErrTooManyProposals, p.Namespace, q.Open)
	case q.Open > 0 && bytes > MaxProposalBytes:
		return p, fmt.Errorf("%w: those of %s would have %d bytes together, and may have %d: approve, reject or withdraw some", ErrTooManyProposals, p.Namespace, bytes, MaxProposalBytes)
	}
	p.ID = q.Last + 1
	return p, nil
}

// All are the changes of configs, then those of schemas, as those of a commit.
func (p Proposed) All() []Change { return Commit{Changes: p.Changes, Schemas: p.Schemas}.All() }

// Bytes is how many bytes the proposal's documents have.
func (p Proposed) Bytes() int {
	total := 0
	for _, change := range p.All() {
		total += len(change.Body)
	}
	return total
}

// ExpiresAt is when the proposal ends unless it was decided.
func (p Proposed) ExpiresAt() time.Time { return p.At.Add(ProposalsFor) }

// StateAt is the proposal's state at a time.
func (p Proposed) StateAt(at time.Time) ProposalState {
	if p.State == ProposalOpen && !at.Before(p.ExpiresAt()) {
		return ProposalExpired
	}
	return p.State
}

// checkOpen returns an error that wraps ErrPrecondition for a proposal that was
// decided.
func (p Proposed) checkOpen(at time.Time) error {
	switch state := p.StateAt(at); state {
	case ProposalOpen:
		return nil
	case ProposalExpired:
		return fmt.Errorf("%w: proposal %d of %s expired at %s: propose it anew", ErrPrecondition, p.ID, p.Namespace, p.ExpiresAt().Format(time.RFC3339))
	case ProposalApproved:
		return fmt.Errorf("%w: proposal %d of %s was approved already, by %s, as revision %d", ErrPrecondition, p.ID, p.Namespace, p.By.Name, p.Made)
	default:
		return fmt.Errorf("%w: proposal %d of %s was %s already, by %s", ErrPrecondition, p.ID, p.Namespace, state, p.By.Name)
	}
}

// Approvable returns why the proposal may not be approved: an error that wraps
// ErrForbidden for its author, under whichever token of the name; ErrPrecondition
// for one that is decided; ErrStaleBase where its base has moved on.
func (p Proposed) Approvable(by Actor, now Namespace, at time.Time) error {
	switch {
	case by == Anonymous:
		return fmt.Errorf("%w: an approval needs a token", ErrForbidden)
	case by.Name == p.Author.Name:
		return fmt.Errorf("%w: proposal %d of %s is by %s: its approval takes a token of another name", ErrForbidden, p.ID, p.Namespace, p.Author.Name)
	}
	if err := p.checkOpen(at); err != nil {
		return err
	}
	return p.CheckBase(now)
}

// CheckBase returns an error that wraps ErrStaleBase, and names what moved on, where
// the namespace is not any more what the proposal was checked against: where
// something that it touches changed since, or anything if it is strict.
func (p Proposed) CheckBase(now Namespace) error {
	if p.Base.Epoch != now.Epoch || (p.Strict && p.Base.Revision != now.Revision) {
		return fmt.Errorf("%w: proposal %d was made at revision %d of %s, which stands at %d now: propose it anew", ErrStaleBase, p.ID, p.Base.Revision, p.Namespace, now.Revision)
	}
	moved := append(p.moved(p.Changes, now.Configs, now.Tombstones), p.moved(p.Schemas, now.Schemas, nil)...)
	if len(moved) == 0 {
		return nil
	}
	return &config.FaultyDocument{
		Err:    fmt.Errorf("%w: proposal %d was made at revision %d of %s, and what it changes is not the same any more: propose it anew", ErrStaleBase, p.ID, p.Base.Revision, p.Namespace),
		Faults: moved,
	}
}

// moved names those of the changes whose configs, or schemas, changed since.
func (p Proposed) moved(changes []Change, standing map[config.Name]Config, gone map[config.Name]config.Revision) []config.Fault {
	var moved []config.Fault
	for _, change := range changes {
		now, stands := standing[change.Name]
		last := max(now.Revision, gone[change.Name])
		switch {
		case last > p.Base.Revision:
			moved = append(moved, config.Fault{Path: "/" + string(change.Name), Message: fmt.Sprintf("was changed by revision %d", last)})
		case stands == change.Creates: // of a schema that was deleted no revision is left to compare
			moved = append(moved, config.Fault{Path: "/" + string(change.Name), Message: "was deleted since"})
		}
	}
	return moved
}

// Proposal is the commit that the proposal asks for, as somebody approves it.
func (p Proposed) Proposal(by Actor) Proposal {
	return Proposal{
		Author: p.Author.Name, Actor: p.Author, Message: p.Message, Changes: p.Changes, Schemas: p.Schemas, Force: p.Force,
		Approval: &Approval{Proposal: p.ID, By: by},
	}
}

// Approve returns the proposal as it is once the commit is made.
func (p Proposed) Approve(message string, made Commit) Proposed {
	p.State = ProposalApproved
	p.Decision = Decision{At: made.At, By: made.Approval.By, Message: message, Made: made.Revision}
	return p
}

// Reject returns the proposal as it is once somebody rejected it: by its author it
// is withdrawn. The error wraps ErrPrecondition.
func (p Proposed) Reject(by Actor, message string, at time.Time) (Proposed, error) {
	if err := p.checkOpen(at); err != nil {
		return p, err
	}
	p.State = ProposalRejected
	if by.Name == p.Author.Name {
		p.State = ProposalWithdrawn
	}
	p.Decision = Decision{At: at.UTC().Truncate(time.Millisecond), By: by, Message: message}
	return p, nil
}
