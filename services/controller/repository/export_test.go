package repository

import (
	"context"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// UpdateUnaudited is Update without the audit, to measure what that costs. Nothing
// but a test can reach it.
func (s *Store) UpdateUnaudited(ctx context.Context, namespace config.Name, revise func(domain.Namespace) (domain.Commit, error)) (domain.Commit, error) {
	var commit domain.Commit
	err := s.write(ctx, func(tx *gorm.DB) error {
		now, err := s.standing(tx, namespace)
		if err != nil {
			return err
		}
		if commit, err = revise(now); err != nil || !commit.Changed() {
			return err
		}
		return saveCommit(tx, commit)
	})
	return commit, err
}
