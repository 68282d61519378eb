package usecase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A Store keeps namespaces.
type Store interface {
	// Update makes one commit: it hands the namespace as it stands to revise and
	// keeps what that returns, together with its announcement, or nothing if the
	// commit has not changed anything. It returns revise's error as it is, or one
	// that wraps ErrUnavailable or ErrStorageFull.
	Update(ctx context.Context, namespace config.Name, revise func(now domain.Namespace) (domain.Commit, error)) (domain.Commit, error)
	// Newest returns a namespace's snapshot as it is kept, or an error that wraps
	// domain.ErrNotFound or ErrUnavailable.
	Newest(ctx context.Context, namespace config.Name) (*config.Snapshot, error)
	// Names returns all namespaces, or an error that wraps ErrUnavailable.
	Names(ctx context.Context) ([]config.Name, error)
}

// A History is what was written, page by page. Its errors wrap
// domain.ErrNotFound or ErrUnavailable.
type History interface {
	// Commits returns a namespace's commits, or those of its that touched one name if
	// that is not "", newest first, without the documents: those before the given
	// revision, or all if that is 0.
	Commits(ctx context.Context, namespace, only config.Name, before config.Revision, limit int) ([]domain.Commit, error)
	// Revision returns one commit with its documents.
	Revision(ctx context.Context, namespace config.Name, revision config.Revision) (domain.Commit, error)
	// Document returns a config as it stood at a revision.
	Document(ctx context.Context, namespace, name config.Name, at config.Revision) (config.Entry, error)
}

// A Catalogue lists what there is, in name order, from behind the given name on.
// Its errors wrap domain.ErrNotFound or ErrUnavailable.
type Catalogue interface {
	// Namespaces lists the namespaces.
	Namespaces(ctx context.Context, after config.Name, limit int) ([]domain.Summary, error)
	// List lists the configs that stand in a namespace.
	List(ctx context.Context, namespace, after config.Name, limit int) ([]domain.Config, error)
}

// Configs keeps configs. The newest snapshot of each namespace that was asked for
// is held in memory, so that an unchanged pull costs the store nothing.
type Configs struct {
	History
	Catalogue
	store Store
	shelf shelf
	told  func() // wakes the relay
	// schemas hold every commit to the schemas, where it is not nil.
	schemas *Schemas
	signing *Signing // vouches for every snapshot, where it is not nil
	// proposals are where commits wait for an approval, where it is not nil.
	proposals ProposalStore
	logger    *slog.Logger

	failing atomic.Bool // whether the last write failed; a change is logged, not each try
}

// NewConfigs returns the configs of a store. It reads which namespaces there are.
func NewConfigs(ctx context.Context, store Store, history History, catalogue Catalogue, logger *slog.Logger) (*Configs, error) {
	names, err := store.Names(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the namespaces: %w", err)
	}
	c := &Configs{History: history, Catalogue: catalogue, store: store, told: func() {}, logger: logger}
	c.shelf.fill(names)
	return c, nil
}

// OnCommit names what is called after each commit. It is set before the first.
func (c *Configs) OnCommit(wake func()) { c.told = wake }

// HoldTo names the schemas that every commit has to meet. It is set before the
// first commit, so that no way in can leave them out.
func (c *Configs) HoldTo(schemas *Schemas) { c.schemas = schemas }

// SignWith names what vouches for every snapshot. It is set before the first
// commit.
func (c *Configs) SignWith(signing *Signing) { c.signing = signing }

// Commit makes a commit of a proposal. When it returns, the commit is on disk and
// every pull is answered with it; of a dry run nothing is kept, and the commit is
// the one that would be made. One that has to wait for an approval is not made: it
// is Waiting. The error is one of domain.Revise, Store or ProposalStore, or it is
// of the schemas: of their set, or one that wraps ErrTooCostly.
func (c *Configs) Commit(ctx context.Context, namespace config.Name, p domain.Proposal) (domain.Commit, error) {
	return c.commit(ctx, namespace, p, c.store.Update)
}

// An updater makes one commit, as Store.Update does.
type updater func(ctx context.Context, namespace config.Name, revise func(now domain.Namespace) (domain.Commit, error)) (domain.Commit, error)

func (c *Configs) commit(ctx context.Context, namespace config.Name, p domain.Proposal, update updater) (domain.Commit, error) {
	place := c.shelf.place(namespace)
	if err := place.lock(ctx); err != nil {
		c.shelf.vacate(place)
		return domain.Commit{}, err
	}
	defer c.shelf.vacate(place)
	defer place.unlock()
	held := &trial{schemas: c.schemas, force: p.Force}
	if held.foresee(place.after, p) {
		_ = held.judge(ctx) // the transaction has the last word, and asks again where this was no
	}
	p.Checks = append(slices.Clone(p.Checks), held.check)
	for {
		made, err := c.try(ctx, place, p, update)
		if !errors.Is(err, errUnjudged) {
			return made, err
		}
		if err := held.judge(ctx); err != nil {
			return domain.Commit{}, err
		}
	}
}

// try makes a commit of a proposal if its checks let it. The place is locked.
func (c *Configs) try(ctx context.Context, place *place, p domain.Proposal, update updater) (domain.Commit, error) {
	held := c.before(ctx, place)
	var made domain.Commit
	var next *config.Snapshot
	var after *domain.Namespace
	_, err := update(ctx, place.namespace, func(now domain.Namespace) (kept domain.Commit, err error) {
		if made, err = domain.Revise(now, p, time.Now()); err != nil || p.DryRun || made.Waiting != nil {
			return domain.Commit{}, err // which changes nothing, and so is not kept
		}
		if p.Receipt != nil && made.Changed() {
			made.Receipt = p.Receipt(made)
		}
		if next = succeed(held, made); next != nil {
			next.Signature = c.signing.sign(next)
			made.Signature = next.Signature
		}
		after = remembered(now, made)
		return made, nil
	})
	switch {
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrStorageFull):
		if !c.failing.Swap(true) {
			c.logger.Error("commits cannot be kept", "error", err)
		}
		c.settle(context.WithoutCancel(ctx), place) // it may be there after all
		return domain.Commit{}, err
	case err != nil:
		return domain.Commit{}, err
	case made.Waiting != nil && !p.DryRun:
		return c.wait(ctx, made, p)
	case made.Changed() && !p.DryRun:
		if c.failing.Swap(false) {
			c.logger.Info("commits are kept again")
		}
		c.advance(context.WithoutCancel(ctx), place, next)
		place.after = after
		c.told()
	}
	return made, nil
}

// before returns the snapshot that a commit follows, nil where there is none or
// it cannot be read now. The place is locked.
func (c *Configs) before(ctx context.Context, place *place) *config.Snapshot {
	if held := place.snapshot(); held != nil {
		return held
	}
	if _, _, known := c.shelf.find(place.namespace); !known {
		return nil
	}
	held, err := c.store.Newest(ctx, place.namespace)
	if err != nil {
		return nil // the commit will say why, and what it made is read afterwards
	}
	return held
}

// advance puts the snapshot that a commit made in the place of the one before;
// where it could not be worked out from that one, it is read.
func (c *Configs) advance(ctx context.Context, place *place, next *config.Snapshot) {
	if next == nil {
		c.settle(ctx, place)
		return
	}
	c.shelf.swap(place, next)
}

// settle reads what the store really has of a namespace. If even that fails, the
// place is marked, and Run tries again. The place is locked.
func (c *Configs) settle(ctx context.Context, place *place) {
	place.after = nil
	snapshot, err := c.store.Newest(ctx, place.namespace)
	switch {
	case err == nil:
		c.signing.vouch(ctx, snapshot)
		c.shelf.swap(place, snapshot)
		c.told()
	case errors.Is(err, domain.ErrNotFound):
		c.shelf.mark(place, false)
	default:
		c.shelf.mark(place, true)
		c.logger.Warn("cannot tell whether a commit was kept; will read the store again",
			"namespace", place.namespace, "error", err)
	}
}

// settleEvery is how often a namespace of unknown state is read again.
const settleEvery = time.Second

// Run reads again what could not be read after a failed write, until ctx ends.
func (c *Configs) Run(ctx context.Context) {
	ticker := time.NewTicker(settleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, place := range c.shelf.unsure() {
			if place.lock(ctx) == nil {
				c.settle(ctx, place)
				place.unlock()
			}
		}
	}
}

// Latest returns the newest snapshot of a namespace and a channel that is closed
// once there is a newer one. For a namespace that is not written the error wraps
// domain.ErrNotFound, and the channel tells when any namespace is new; it may also
// wrap ErrUnavailable. What is in memory costs no read.
func (c *Configs) Latest(ctx context.Context, namespace config.Name) (*config.Snapshot, <-chan struct{}, error) {
	snapshot, changed, known := c.shelf.find(namespace)
	switch {
	case snapshot != nil:
		return snapshot, changed, nil
	case !known:
		return nil, changed, fmt.Errorf("%w: namespace %s has nothing yet", domain.ErrNotFound, namespace)
	}
	place := c.shelf.place(namespace)
	defer c.shelf.vacate(place)
	if err := place.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer place.unlock()
	if place.snapshot() == nil { // nobody else was quicker
		read, err := c.store.Newest(ctx, namespace)
		if err != nil {
			return nil, nil, err
		}
		c.signing.vouch(ctx, read)
		c.shelf.swap(place, read)
	}
	snapshot, changed, _ = c.shelf.find(namespace)
	return snapshot, changed, nil
}

// Position returns where a namespace stands, or an error as Latest does.
func (c *Configs) Position(ctx context.Context, namespace config.Name) (config.Position, error) {
	snapshot, _, err := c.Latest(ctx, namespace)
	if err != nil {
		return config.Position{}, err
	}
	return snapshot.Position, nil
}
