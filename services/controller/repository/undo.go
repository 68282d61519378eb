package repository

import (
	"context"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// State reads a namespace's configs as they stood at a revision.
func (s *Store) State(ctx context.Context, namespace config.Name, at config.Revision) ([]config.Entry, error) {
	if at == 0 {
		return nil, nil
	}
	if err := s.written(ctx, namespace, at); err != nil {
		return nil, err
	}
	var rows []changeRow
	err := s.read(ctx).Raw(`SELECT changes.* FROM changes JOIN (
			SELECT name, MAX(revision) AS revision FROM changes
			WHERE namespace = ? AND revision <= ? AND op IN ('put', 'delete') GROUP BY name
		) AS newest ON changes.name = newest.name AND changes.revision = newest.revision
		WHERE changes.namespace = ? AND changes.op = ? ORDER BY changes.name`,
		string(namespace), int64(at), string(namespace), string(domain.Put)).Scan(&rows).Error
	if err != nil {
		return nil, failure(err)
	}
	entries := make([]config.Entry, 0, len(rows))
	for _, row := range rows {
		entry, err := row.kept()
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}
