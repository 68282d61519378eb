package domain

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// Why a commit is refused.
var (
	ErrNotFound     = errors.New("not found")
	ErrPrecondition = errors.New("precondition failed")
	ErrStaleBase    = errors.New("stale base revision")
	ErrTooLarge     = errors.New("too large")
	ErrEmptyCommit  = errors.New("a commit needs changes, and each name once")
)

// A Proposal is a commit that somebody asks for.
type Proposal struct {
	Author  string // the name of Actor
	Actor   Actor
	Message string
	Changes []Change
	// Schemas are changes of schemas; there may be these alone.
	Schemas []Change
	// Checks are asked of the commit before it is made.
	Checks []Check
	// Base, where it is not nil, is the revision that the namespace must stand at.
	Base *config.Revision
	// Match, where it is not nil, is asked of the first change's config.
	Match *Condition
	// Whole says that these are all the configs there are to be: what stands beside
	// them is deleted.
	Whole bool
	// Undoes, where it is not 0, is the revision that must have been the last to
	// change each of the configs.
	Undoes config.Revision
	// Force passes the guards, on purpose.
	Force bool
	// Receipt, where it is not nil, makes the receipt that is kept with the commit.
	Receipt func(Commit) *Receipt
	// DryRun asks for the commit that would be made, and for nothing to be kept.
	DryRun bool
	// Wait asks for the approval of another, be the namespace protected or not.
	Wait bool
	// Approval, where it is not nil, is what a proposal waited for.
	Approval *Approval
}

// A Condition is what If-Match and If-None-Match say (RFC 9110, section 13.1).
type Condition struct {
	IfMatch     *Tags
	IfNoneMatch *Tags
}

// Tags are the entity tags of one of the two, or any.
type Tags struct {
	Any  bool
	List []config.ETag
}

func (t *Tags) hold(standing Config, stands bool) bool {
	return stands && (t.Any || slices.Contains(t.List, standing.ETag))
}

// check returns an error that wraps ErrPrecondition if the condition is not met.
func (c *Condition) check(name config.Name, standing Config, stands bool) error {
	switch {
	case c == nil:
		return nil
	case c.IfMatch != nil && !c.IfMatch.hold(standing, stands) && stands:
		return fmt.Errorf("%w: %s has the ETag %q now", ErrPrecondition, name, standing.ETag)
	case c.IfMatch != nil && !stands:
		return fmt.Errorf("%w: there is no config %s", ErrPrecondition, name)
	case c.IfNoneMatch != nil && c.IfNoneMatch.hold(standing, stands):
		return fmt.Errorf("%w: %s is there already, with the ETag %q", ErrPrecondition, name, standing.ETag)
	}
	return nil
}

// Revise returns the commit that the proposal makes of the namespace as it stands
// now. Changes that change nothing are left out; if none remains the commit has
// not Changed. The error wraps ErrNotFound, ErrPrecondition, ErrStaleBase,
// ErrTooLarge, ErrEmptyCommit, ErrFrozen, ErrGuardEmpty, ErrGuardMassChange or
// ErrForbidden, or it is that of a check. A commit that has to wait says so.
func Revise(now Namespace, p Proposal, at time.Time) (Commit, error) {
	if p.Base != nil && *p.Base != now.Revision {
		return Commit{}, fmt.Errorf("%w: %s stands at %d, not at %d", ErrStaleBase, now.Name, now.Revision, *p.Base)
	}
	changes, err := now.effective(p)
	if err != nil {
		return Commit{}, err
	}
	schemas, err := now.effectiveSchemas(p)
	if err != nil {
		return Commit{}, err
	}
	commit := Commit{
		Namespace: now.Name, Position: now.Position, Previous: now.Head,
		At: at.UTC().Truncate(time.Millisecond), Author: p.Author, Actor: p.Actor, Message: p.Message, Changes: changes, Schemas: schemas,
	}
	if !commit.Changed() {
		return commit, nil
	}
	commit.Revision++
	commit.Hash = commit.Sum()
	if err := now.allow(commit, p); err != nil {
		return Commit{}, err
	}
	if err := p.check(now, commit); err != nil {
		return Commit{}, err
	}
	return commit.approve(now, p)
}

// approve returns the commit with its approval, or, where it needs one that it has
// not, with the proposal that is to wait in its place.
func (c Commit) approve(now Namespace, p Proposal) (Commit, error) {
	waits, err := now.Waits(p)
	if err != nil {
		return Commit{}, err
	}
	if waits {
		c.Waiting = c.waiting(now, p)
	}
	c.Approval = p.Approval
	c.Unapproved = now.Settings.Protected && p.Approval == nil && !waits
	return c, nil
}

// check asks the proposal's checks of the commit that it would make.
func (p Proposal) check(now Namespace, made Commit) error {
	for _, check := range p.Checks {
		if err := check(now, made); err != nil {
			return err
		}
	}
	return nil
}

// allow returns why the commit may not be made of the namespace, or nil.
func (n Namespace) allow(commit Commit, p Proposal) error {
	actor := p.Actor
	if p.Approval != nil {
		actor = p.Approval.By // who makes it stand now
	}
	if err := n.checkFreeze(commit.At, actor); err != nil {
		return err
	}
	next := n.After(commit)
	if err := next.checkSize(); err != nil || p.Force {
		return err
	}
	return n.Settings.Guards.check(n, next, commit.Changes)
}

// effective returns those changes of the proposal that change something, in name
// order, so that one state and one intention make one commit.
func (n Namespace) effective(p Proposal) ([]Change, error) {
	if len(p.Changes)+len(p.Schemas) == 0 && !p.Whole {
		return nil, fmt.Errorf("%w: there are none", ErrEmptyCommit)
	}
	if err := n.checkUntouched(p); err != nil {
		return nil, err
	}
	p.Changes = append(p.Changes, n.beside(p)...)
	var changes []Change
	seen := map[config.Name]bool{}
	for i, change := range p.Changes {
		if seen[change.Name] {
			return nil, fmt.Errorf("%w: %s stands in it twice", ErrEmptyCommit, change.Name)
		}
		seen[change.Name] = true
		if len(change.Body) > config.MaxDocument {
			return nil, fmt.Errorf("%w: %s has %d bytes, a document at most %d", ErrTooLarge, change.Name, len(change.Body), config.MaxDocument)
		}
		standing, stands := n.Configs[change.Name]
		if change.Op == Delete && !stands {
			return nil, fmt.Errorf("%w: config %s/%s", ErrNotFound, n.Name, change.Name)
		}
		if i == 0 {
			if err := p.Match.check(change.Name, standing, stands); err != nil {
				return nil, err
			}
		}
		if change.Op == Delete {
			change.ETag = standing.ETag
		} else if change.ETag = change.Document.ETag(); stands && standing.ETag == change.ETag {
			continue
		}
		change.Creates = !stands
		changes = append(changes, change)
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return changes, nil
}

// checkSize returns an error that wraps ErrTooLarge for a namespace that holds
// more than it may.
func (n Namespace) checkSize() error {
	if size := n.size(); size > config.MaxNamespace {
		return fmt.Errorf("%w: %s would have %d bytes of documents, a namespace at most %d", ErrTooLarge, n.Name, size, config.MaxNamespace)
	}
	if names := len(n.Configs) + len(n.Tombstones); names > config.MaxNames {
		return fmt.Errorf("%w: %s would have %d names, deleted ones counted, a namespace at most %d", ErrTooLarge, n.Name, names, config.MaxNames)
	}
	return n.checkSchemas()
}
