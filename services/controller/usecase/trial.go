package usecase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
)

// ErrTooCostly means that a commit would take too long to hold to its schemas.
var ErrTooCostly = errors.New("too costly to check")

// errUnjudged ends a transaction whose commit has to be judged first.
var errUnjudged = errors.New("not held to its schemas yet")

// A trial holds one proposal to the schemas of its namespace. That can take
// seconds, and all namespaces wait for the store's one transaction: so documents
// are judged outside of it, and within it is only asked whether what was judged is
// what stands. If it is not, nothing is kept and the commit is judged again.
type trial struct {
	schemas *Schemas // nil for none
	force   bool

	// What the transaction met last, and whether that commit was found good.
	now  domain.Namespace
	made domain.Commit
	good bool
}

// check is asked within the transaction. One head stands for everything that was
// ever committed, so that the same proposal makes the same commit of it.
func (t *trial) check(now domain.Namespace, made domain.Commit) error {
	if t.schemas == nil || !concerned(now.After(made), made) {
		return nil
	}
	if t.good && now.Position == t.now.Position && now.Head == t.now.Head {
		return nil
	}
	t.now, t.made, t.good = now, made, false
	return errUnjudged
}

// foresee works out, from what the last commit left, which commit the transaction
// will meet, and reports whether it has to be judged: done now, that saves the
// transaction that would only find it out.
func (t *trial) foresee(now *domain.Namespace, p domain.Proposal) bool {
	if t.schemas == nil || now == nil {
		return false
	}
	made, err := domain.Revise(*now, p, time.Now())
	return err == nil && made.Changed() && t.check(*now, made) != nil
}

// remembered is what a commit leaves, nil where it has no schemas to hold to.
func remembered(now domain.Namespace, made domain.Commit) *domain.Namespace {
	if len(now.Schemas)+len(made.Schemas) == 0 {
		return nil
	}
	return new(now.After(made))
}

// judge holds what the transaction met to the schemas.
func (t *trial) judge(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, t.schemas.JudgeFor,
		fmt.Errorf("%w: it takes more than %s; split the commit, or simplify its schemas", ErrTooCostly, t.schemas.JudgeFor))
	defer cancel()
	err := t.schemas.judge(ctx, t.now, t.made, t.force)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause // reads fail with it in words of their own
	}
	t.good = err == nil
	return err
}
