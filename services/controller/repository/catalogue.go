package repository

import (
	"context"
	"fmt"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Namespaces reads a page of the namespaces.
func (s *Store) Namespaces(ctx context.Context, after config.Name, limit int) ([]domain.Summary, error) {
	var rows []struct {
		Name                         string
		Revision, UpdatedAt, Configs int64
		Head                         []byte
	}
	err := s.read(ctx).Model(&namespaceRow{}).
		Select("name, revision, updated_at, head, (SELECT count(*) FROM configs JOIN changes ON changes.id = configs.change_id"+
			" WHERE configs.namespace = namespaces.name AND changes.op = ?) AS configs", string(domain.Put)).
		Where("name > ?", string(after)).Order("name").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, failure(err)
	}
	summaries := make([]domain.Summary, 0, len(rows))
	for _, row := range rows {
		summary := domain.Summary{
			Namespace: config.Name(row.Name),
			Position:  config.Position{Epoch: s.epoch, Revision: config.Revision(row.Revision)},
			Configs:   int(row.Configs), UpdatedAt: instant(row.UpdatedAt),
		}
		copy(summary.Hash[:], row.Head)
		summaries = append(summaries, summary)
	}
	return summaries, nil
}

// List reads a page of the configs that stand in a namespace.
func (s *Store) List(ctx context.Context, namespace, after config.Name, limit int) ([]domain.Config, error) {
	var found int64
	if err := s.read(ctx).Model(&namespaceRow{}).Where("name = ?", string(namespace)).Count(&found).Error; err != nil {
		return nil, failure(err)
	}
	if found == 0 {
		return nil, fmt.Errorf("%w: namespace %s has nothing yet", domain.ErrNotFound, namespace)
	}
	var rows []changeRow
	err := newest(s.read(ctx), namespace).Select(withoutBody).
		Where("configs.name > ? AND changes.op = ?", string(after), string(domain.Put)).Limit(limit).Find(&rows).Error
	configs := make([]domain.Config, 0, len(rows))
	for _, row := range rows {
		configs = append(configs, row.config())
	}
	return configs, failure(err)
}
