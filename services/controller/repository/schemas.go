package repository

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

const schemaChanges = "schema_changes"

type schemaRow struct {
	Namespace string `gorm:"primaryKey"`
	Name      string `gorm:"primaryKey"`
	ChangeID  int64
}

func (schemaRow) TableName() string { return "schemas" }

// standingSchemas are the changes that brought a namespace's schemas, in name order.
func standingSchemas(tx *gorm.DB, namespace config.Name) *gorm.DB {
	return tx.Table(schemaChanges).Joins("JOIN schemas ON schemas.change_id = schema_changes.id AND schemas.name = schema_changes.name").
		Where("schemas.namespace = ?", string(namespace)).Order("schemas.name")
}

const schemaWithoutBody = "schema_changes.id, schema_changes.namespace, schema_changes.revision, schema_changes.name, schema_changes.op, " +
	"schema_changes.media_type, schema_changes.etag, length(schema_changes.body) AS size"

// schemasOf reads a namespace's schemas as the rules need them.
func schemasOf(tx *gorm.DB, namespace config.Name) (map[config.Name]domain.Config, error) {
	var rows []changeRow
	if err := standingSchemas(tx, namespace).Select(schemaWithoutBody).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read schemas: %w", err)
	}
	schemas := make(map[config.Name]domain.Config, len(rows))
	for _, row := range rows {
		schemas[config.Name(row.Name)] = row.schema()
	}
	return schemas, nil
}

func (row changeRow) schema() domain.Config {
	return domain.Config{
		Name: config.Name(row.Name), Revision: config.Revision(row.Revision), ETag: config.ETag(row.Etag),
		MediaType: row.MediaType, Size: row.Size,
	}
}

func saveSchemas(tx *gorm.DB, commit domain.Commit) error {
	for _, change := range commit.Schemas {
		row := rowOfChange(commit, change)
		if err := tx.Table(schemaChanges).Create(&row).Error; err != nil {
			return fmt.Errorf("save schema %s: %w", change.Name, err)
		}
		pointer := schemaRow{Namespace: row.Namespace, Name: row.Name, ChangeID: row.ID}
		write := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create
		if change.Op == domain.DeleteSchema {
			write = func(value any) *gorm.DB { return tx.Delete(value) }
		}
		if err := write(&pointer).Error; err != nil {
			return fmt.Errorf("save where schema %s stands: %w", change.Name, err)
		}
	}
	return nil
}

// addSchemas gives commits, newest first, what they did to schemas.
func addSchemas(tx *gorm.DB, commits []domain.Commit, columns string) error {
	if len(commits) == 0 {
		return nil
	}
	var rows []changeRow
	err := tx.Table(schemaChanges).Select(columns).
		Where("namespace = ? AND revision IN ?", string(commits[0].Namespace), revisionsOf(commits)).
		Order("revision DESC, name").Find(&rows).Error
	if err != nil {
		return fmt.Errorf("read schema changes: %w", err)
	}
	for i := range commits {
		for len(rows) > 0 && rows[0].Revision == int64(commits[i].Revision) {
			commits[i].Schemas = append(commits[i].Schemas, rows[0].change())
			rows = rows[1:]
		}
	}
	return nil
}

// Schemas reads the schemas that stand in a namespace, with their documents.
func (s *Store) Schemas(ctx context.Context, namespace config.Name) ([]config.Entry, error) {
	var rows []changeRow
	if err := standingSchemas(s.read(ctx), namespace).Select("schema_changes.*").Find(&rows).Error; err != nil {
		return nil, failure(err)
	}
	entries := make([]config.Entry, 0, len(rows))
	for _, row := range rows {
		entries = append(entries, row.entry())
	}
	return entries, nil
}

// ListSchemas reads a page of the schemas that stand in a namespace.
func (s *Store) ListSchemas(ctx context.Context, namespace, after config.Name, limit int) ([]domain.Config, error) {
	var found int64
	if err := s.read(ctx).Model(&namespaceRow{}).Where("name = ?", string(namespace)).Count(&found).Error; err != nil {
		return nil, failure(err)
	}
	if found == 0 {
		return nil, fmt.Errorf("%w: namespace %s has nothing yet", domain.ErrNotFound, namespace)
	}
	var rows []changeRow
	err := standingSchemas(s.read(ctx), namespace).Select(schemaWithoutBody).
		Where("schemas.name > ?", string(after)).Limit(limit).Find(&rows).Error
	schemas := make([]domain.Config, 0, len(rows))
	for _, row := range rows {
		schemas = append(schemas, row.schema())
	}
	return schemas, failure(err)
}

// Schema reads a schema as it stood at a revision, or as it stands if that is 0.
func (s *Store) Schema(ctx context.Context, namespace, name config.Name, at config.Revision) (config.Entry, error) {
	query := s.read(ctx).Table(schemaChanges).Where("namespace = ? AND name = ?", string(namespace), string(name))
	if at > 0 {
		if err := s.written(ctx, namespace, at); err != nil {
			return config.Entry{}, err
		}
		query = query.Where("revision <= ?", int64(at))
	}
	var rows []changeRow
	if err := query.Order("revision DESC").Limit(1).Find(&rows).Error; err != nil {
		return config.Entry{}, failure(err)
	}
	if len(rows) == 0 || rows[0].Op == string(domain.DeleteSchema) {
		return config.Entry{}, fmt.Errorf("%w: schema %s/%s", domain.ErrNotFound, namespace, name)
	}
	return rows[0].kept()
}
