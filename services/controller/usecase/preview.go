package usecase

import (
	"context"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Preview returns what a commit that was not made would change: of configs, and of
// schemas. The error wraps ErrUnavailable.
func (c *Configs) Preview(ctx context.Context, made domain.Commit) (configs, schemas []Difference, err error) {
	configs, err = previewed(ctx, made, made.Changes, c.Document)
	if err != nil || len(made.Schemas) == 0 {
		return configs, nil, err
	}
	schemas, err = previewed(ctx, made, made.Schemas, c.schemas.Schema)
	return configs, schemas, err
}

// A standing reads a document as it stood at a revision.
type standing func(ctx context.Context, namespace, name config.Name, at config.Revision) (config.Entry, error)

func previewed(ctx context.Context, made domain.Commit, changes []domain.Change, before standing) ([]Difference, error) {
	differences := make([]Difference, 0, len(changes))
	for _, change := range changes {
		difference := Difference{Name: change.Name}
		if !change.Creates {
			entry, err := before(ctx, made.Namespace, change.Name, made.Revision-1)
			if err != nil {
				return nil, err
			}
			difference.Before = &entry.Document
		}
		if change.Puts() {
			difference.After = &change.Document
		}
		differences = append(differences, difference)
	}
	return differences, nil
}
