package repository

import (
	"context"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

// Pending reads the oldest announcements behind an ID.
func (s *Store) Pending(ctx context.Context, after int64, limit int) ([]usecase.Announcement, error) {
	var rows []outboxRow
	if err := s.read(ctx).Where("id > ?", after).Order("id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, failure(err)
	}
	pending := make([]usecase.Announcement, 0, len(rows))
	for _, row := range rows {
		pending = append(pending, usecase.Announcement{
			ID: row.ID, Namespace: config.Name(row.Namespace),
			Position: config.Position{Epoch: config.Epoch(row.Epoch), Revision: config.Revision(row.Revision)},
		})
	}
	return pending, nil
}

// Drop forgets announcements.
func (s *Store) Drop(ctx context.Context, upTo int64) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		return tx.Where("id <= ?", upTo).Delete(&outboxRow{}).Error
	})
}
