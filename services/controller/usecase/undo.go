package usecase

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// ErrSchemasChanged means that a commit cannot be taken back, since it is about
// schemas too.
var ErrSchemasChanged = errors.New("the commit changed schemas")

// A Past is what stood at a revision.
type Past interface {
	// State returns a namespace's configs as they stood at a revision, in name order,
	// none for revision 0. The error wraps domain.ErrNotFound or ErrUnavailable.
	State(ctx context.Context, namespace config.Name, at config.Revision) ([]config.Entry, error)
}

// Undo compares revisions and takes changes back: always by a new revision.
type Undo struct {
	configs *Configs
	past    Past
}

// NewUndo returns what takes changes of these configs back.
func NewUndo(configs *Configs, past Past) *Undo { return &Undo{configs: configs, past: past} }

// A Difference is a config that is not the same in two states. Either document is
// nil where it does not stand.
type Difference struct {
	Name          config.Name
	Before, After *config.Document
}

// Diff returns what is different between two revisions, in name order; 0 is a
// namespace of nothing. The error wraps domain.ErrNotFound or ErrUnavailable.
func (u *Undo) Diff(ctx context.Context, namespace config.Name, from, to config.Revision) ([]Difference, error) {
	return between(ctx, u.past, namespace, from, to)
}

func between(ctx context.Context, past Past, namespace config.Name, from, to config.Revision) ([]Difference, error) {
	before, err := past.State(ctx, namespace, from)
	if err != nil {
		return nil, err
	}
	after, err := past.State(ctx, namespace, to)
	if err != nil {
		return nil, err
	}
	return differences(before, after), nil
}

// differences merges two states, each in name order.
func differences(before, after []config.Entry) []Difference {
	var found []Difference
	for len(before)+len(after) > 0 {
		switch {
		case len(after) == 0 || (len(before) > 0 && before[0].Name < after[0].Name):
			found = append(found, Difference{Name: before[0].Name, Before: &before[0].Document})
			before = before[1:]
		case len(before) == 0 || after[0].Name < before[0].Name:
			found = append(found, Difference{Name: after[0].Name, After: &after[0].Document})
			after = after[1:]
		default:
			if before[0].ETag != after[0].ETag {
				found = append(found, Difference{Name: after[0].Name, Before: &before[0].Document, After: &after[0].Document})
			}
			before, after = before[1:], after[1:]
		}
	}
	return found
}

// Rollback proposes the configs of an earlier revision anew: all of them, or the
// one of that name. It fails as Configs.Commit does.
func (u *Undo) Rollback(ctx context.Context, namespace config.Name, to config.Revision, only config.Name, p domain.Proposal) (domain.Commit, error) {
	state, err := u.past.State(ctx, namespace, to)
	if err != nil {
		return domain.Commit{}, err
	}
	p.Whole = only == ""
	for _, e := range state {
		if only == "" || e.Name == only {
			p.Changes = append(p.Changes, domain.Change{Op: domain.Put, Name: e.Name, Document: e.Document})
		}
	}
	if only != "" && len(p.Changes) == 0 { // it did not stand then
		p.Changes = []domain.Change{{Op: domain.Delete, Name: only}}
	}
	if p.Message == "" {
		p.Message = fmt.Sprintf("rollback to revision %d", to)
	}
	return u.configs.Commit(ctx, namespace, p)
}

// Revert takes back what one commit did, and nothing else. Where a later commit
// touched the same configs the error wraps domain.ErrStaleBase; it may also wrap
// ErrSchemasChanged, or be one of Configs.Commit.
func (u *Undo) Revert(ctx context.Context, namespace config.Name, revision config.Revision, p domain.Proposal) (domain.Commit, error) {
	undone, err := u.configs.Revision(ctx, namespace, revision)
	if err != nil {
		return domain.Commit{}, err
	}
	if len(undone.Schemas) > 0 {
		return domain.Commit{}, fmt.Errorf("%w: put them as they were, or delete them, and roll the configs back one by one", ErrSchemasChanged)
	}
	before, err := u.past.State(ctx, namespace, revision-1)
	if err != nil {
		return domain.Commit{}, err
	}
	p.Changes, p.Undoes = inverse(undone.Changes, before), revision
	if p.Message == "" {
		p.Message = subject(fmt.Sprintf("revert %d: ", revision), undone.Message)
	}
	return u.configs.Commit(ctx, namespace, p)
}

// inverse are the changes that bring back what stood before.
func inverse(changes []domain.Change, before []config.Entry) []domain.Change {
	stood := map[config.Name]config.Document{}
	for _, e := range before {
		stood[e.Name] = e.Document
	}
	back := make([]domain.Change, 0, len(changes))
	for _, change := range changes {
		if document, ok := stood[change.Name]; ok {
			back = append(back, domain.Change{Op: domain.Put, Name: change.Name, Document: document})
			continue
		}
		back = append(back, domain.Change{Op: domain.Delete, Name: change.Name})
	}
	return back
}

// maxSubject is how much of a message is said again of the commit that undoes it.
const maxSubject = 200

// subject is the first line of a message, behind what is said of it.
func subject(before, message string) string {
	line, _, _ := strings.Cut(message, "\n")
	return strings.TrimSuffix(before+clip(line, maxSubject), ": ")
}
