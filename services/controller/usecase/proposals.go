package usecase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A ProposalStore keeps proposals. It returns the error of what it hands something
// to as it is, or one that wraps domain.ErrNotFound, ErrUnavailable or
// ErrStorageFull.
type ProposalStore interface {
	// Propose hands what waits in a namespace to join and keeps what that returns,
	// with its receipt.
	Propose(ctx context.Context, namespace config.Name, join func(waiting domain.Queue) (domain.Proposed, error)) (domain.Proposed, error)
	// Decide hands a namespace and one of its proposals, without the documents, to
	// decide, and keeps the commit that it returns, if that is one, and the proposal,
	// if its state is another: both or neither.
	Decide(ctx context.Context, namespace config.Name, id int64, decide func(now domain.Namespace, p domain.Proposed) (domain.Commit, domain.Proposed, error)) error
}

// A Docket is what waits, and what became of what did. Its errors wrap
// domain.ErrNotFound or ErrUnavailable.
type Docket interface {
	// Proposals returns a namespace's proposals in that state, or in any where it is
	// "", newest first, without the documents: those before the given number, or all
	// if that is 0.
	Proposals(ctx context.Context, namespace config.Name, state domain.ProposalState, before int64, limit int) ([]domain.Proposed, error)
	// Proposal returns one with its documents, unless it was approved: the revision
	// that it made has them.
	Proposal(ctx context.Context, namespace config.Name, id int64) (domain.Proposed, error)
}

// Proposals decides over what waits for the approval of another.
type Proposals struct {
	Docket
	configs *Configs
	store   ProposalStore
	past    Past
}

// NewProposals returns what decides over the proposals of a store, which commits
// wait in from then on where they have to.
func NewProposals(configs *Configs, store ProposalStore, docket Docket, past Past) *Proposals {
	configs.proposals = store
	return &Proposals{Docket: docket, configs: configs, store: store, past: past}
}

// wait keeps a commit as the proposal that it has to be. The place of its namespace
// is locked, so that nothing came in between.
func (c *Configs) wait(ctx context.Context, made domain.Commit, p domain.Proposal) (domain.Commit, error) {
	if c.proposals == nil {
		return domain.Commit{}, fmt.Errorf("%w: there is nowhere to wait for an approval", domain.ErrForbidden)
	}
	_, err := c.proposals.Propose(ctx, made.Namespace, func(waiting domain.Queue) (domain.Proposed, error) {
		proposed, err := waiting.Join(*made.Waiting)
		if err != nil {
			return proposed, err
		}
		made.Waiting, made.Position = &proposed, proposed.Base
		if p.Receipt != nil {
			proposed.Receipt = p.Receipt(made)
		}
		return proposed, nil
	})
	if err != nil {
		return domain.Commit{}, err
	}
	return made, nil
}

// A Resolution is what somebody decides of a proposal.
type Resolution struct {
	By      domain.Actor
	Message string
	Force   bool // passes the guards, as the proposal may do by itself
	DryRun  bool
}

// MovedOn is the error of an approval whose base is not what stands any more. It
// wraps domain.ErrStaleBase, and has what is different.
type MovedOn struct {
	Err              error
	From, To         config.Revision
	Configs, Schemas []Difference
}

func (m *MovedOn) Error() string { return m.Err.Error() }

// Unwrap is for errors.Is.
func (m *MovedOn) Unwrap() error { return m.Err }

// Approve makes the commit that a proposal asks for, held to all that a commit is
// held to now; the two are on disk together. The error is one of
// domain.Proposed.Approvable, a *MovedOn, or one of Configs.Commit.
func (d *Proposals) Approve(ctx context.Context, namespace config.Name, id int64, r Resolution, receipt func(domain.Commit) *domain.Receipt) (domain.Commit, error) {
	proposed, err := d.Proposal(ctx, namespace, id)
	if err != nil {
		return domain.Commit{}, err
	}
	var now domain.Namespace
	p := proposed.Proposal(r.By)
	p.Force, p.DryRun, p.Receipt = p.Force || r.Force, r.DryRun, receipt
	made, err := d.configs.commit(ctx, namespace, p, func(ctx context.Context, namespace config.Name, revise func(domain.Namespace) (domain.Commit, error)) (domain.Commit, error) {
		var made domain.Commit
		return made, d.store.Decide(ctx, namespace, id, func(standing domain.Namespace, p domain.Proposed) (domain.Commit, domain.Proposed, error) {
			now = standing
			if err := p.Approvable(r.By, now, time.Now()); err != nil {
				return made, p, err
			}
			var err error
			if made, err = revise(now); err != nil || !made.Changed() {
				return made, p, err
			}
			// The documents were read before: they never change while a proposal is open.
			p.Changes, p.Schemas = proposed.Changes, proposed.Schemas
			return made, p.Approve(r.Message, made), nil
		})
	})
	if errors.Is(err, domain.ErrStaleBase) {
		return made, d.movedOn(ctx, proposed, now, err)
	}
	return made, err
}

// Reject ends a proposal, as its author or as another who may. The error wraps
// domain.ErrPrecondition for one that is decided already, or is one of the store.
func (d *Proposals) Reject(ctx context.Context, namespace config.Name, id int64, r Resolution, receipt func(domain.Proposed) *domain.Receipt) (domain.Proposed, error) {
	var rejected domain.Proposed
	err := d.store.Decide(ctx, namespace, id, func(_ domain.Namespace, p domain.Proposed) (domain.Commit, domain.Proposed, error) {
		var err error
		if rejected, err = p.Reject(r.By, r.Message, time.Now()); err != nil || r.DryRun {
			return domain.Commit{}, p, err
		}
		if receipt != nil {
			rejected.Receipt = receipt(rejected)
		}
		return domain.Commit{}, rejected, nil
	})
	return rejected, err
}

// movedOn adds to a refusal what is different between a proposal's base and what
// stands: in all of the namespace where the proposal is strict, and otherwise in
// what it touches. What cannot be read does not hide the refusal.
func (d *Proposals) movedOn(ctx context.Context, p domain.Proposed, now domain.Namespace, refusal error) error {
	moved := &MovedOn{Err: refusal, From: p.Base.Revision, To: now.Revision}
	if p.Base.Epoch != now.Epoch {
		return moved // its revisions are of another history
	}
	var err error
	if p.Strict {
		moved.Configs, err = between(ctx, d.past, p.Namespace, moved.From, moved.To)
	} else {
		moved.Configs, err = changed(ctx, p.Namespace, p.Changes, moved.From, moved.To, d.configs.Document)
	}
	if err == nil && d.configs.schemas != nil {
		moved.Schemas, err = changed(ctx, p.Namespace, p.Schemas, moved.From, moved.To, d.configs.schemas.Schema)
	}
	if err != nil {
		d.configs.logger.Warn("cannot say what is different from a proposal's base", "namespace", p.Namespace, "proposal", p.ID, "error", err)
	}
	return moved
}

// changed are the differences of what some changes touch between two revisions.
func changed(ctx context.Context, namespace config.Name, changes []domain.Change, from, to config.Revision, read standing) ([]Difference, error) {
	var found []Difference
	for _, change := range changes {
		before, err := stood(ctx, namespace, change.Name, from, read)
		if err != nil {
			return found, err
		}
		after, err := stood(ctx, namespace, change.Name, to, read)
		if err != nil {
			return found, err
		}
		found = append(found, Difference{Name: change.Name, Before: before, After: after})
	}
	return found, nil
}

// stood is what stood under a name at a revision, nil for nothing.
func stood(ctx context.Context, namespace, name config.Name, at config.Revision, read standing) (*config.Document, error) {
	if at == 0 {
		return nil, nil
	}
	entry, err := read(ctx, namespace, name, at)
	if errors.Is(err, domain.ErrNotFound) && !errors.Is(err, domain.ErrCompacted) {
		return nil, nil
	}
	return &entry.Document, err
}

// Compare returns what a proposal would change of its namespace at that revision.
func (d *Proposals) Compare(ctx context.Context, p domain.Proposed, at config.Revision) (configs, schemas []Difference, err error) {
	if configs, err = d.compare(ctx, p, p.Changes, at, d.configs.Document); err != nil || len(p.Schemas) == 0 {
		return configs, nil, err
	}
	schemas, err = d.compare(ctx, p, p.Schemas, at, d.configs.schemas.Schema)
	return configs, schemas, err
}

func (d *Proposals) compare(ctx context.Context, p domain.Proposed, changes []domain.Change, at config.Revision, read standing) ([]Difference, error) {
	found := make([]Difference, 0, len(changes))
	for _, change := range changes {
		before, err := stood(ctx, p.Namespace, change.Name, at, read)
		if err != nil {
			return nil, err
		}
		difference := Difference{Name: change.Name, Before: before}
		if change.Puts() {
			difference.After = &change.Document
		}
		found = append(found, difference)
	}
	return found, nil
}
