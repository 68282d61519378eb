package repository

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

type commitRow struct {
	Namespace string `gorm:"primaryKey"`
	Revision  int64  `gorm:"primaryKey;autoIncrement:false"`
	Epoch     string
	At        int64
	Author    string
	Message   string
	Previous  []byte
	Hash      []byte
}

func (commitRow) TableName() string { return "commits" }

func rowOfCommit(c domain.Commit) *commitRow {
	return &commitRow{
		Namespace: string(c.Namespace), Revision: int64(c.Revision), Epoch: string(c.Epoch), At: c.At.UnixMilli(),
		Author: c.Author, Message: c.Message, Previous: c.Previous[:], Hash: c.Hash[:],
	}
}

func (row commitRow) commit() domain.Commit {
	c := domain.Commit{
		Namespace: config.Name(row.Namespace),
		Position:  config.Position{Epoch: config.Epoch(row.Epoch), Revision: config.Revision(row.Revision)},
		At:        instant(row.At), Author: row.Author, Message: row.Message,
	}
	copy(c.Previous[:], row.Previous)
	copy(c.Hash[:], row.Hash)
	return c
}

func (row changeRow) change() domain.Change {
	return domain.Change{
		Op: domain.Op(row.Op), Name: config.Name(row.Name), ETag: config.ETag(row.Etag), Dropped: row.dropped(),
		Document: config.Document{MediaType: row.MediaType, Body: row.Body},
	}
}

// touching are the revisions that changed the config, or the schema, of a name.
const touching = `revision IN (SELECT revision FROM changes WHERE namespace = ? AND name = ?
	UNION ALL SELECT revision FROM schema_changes WHERE namespace = ? AND name = ?)`

// Commits reads a page of the history of a namespace, or of one name in it, without
// the documents.
func (s *Store) Commits(ctx context.Context, namespace, only config.Name, before config.Revision, limit int) ([]domain.Commit, error) {
	var commits []domain.Commit
	err := s.read(ctx).Transaction(func(tx *gorm.DB) error {
		query := tx.Where("namespace = ?", string(namespace)).Order("revision DESC").Limit(limit)
		if before > 0 {
			query = query.Where("revision < ?", int64(before))
		}
		if only != "" {
			query = query.Where(touching, string(namespace), string(only), string(namespace), string(only))
		}
		var rows []commitRow
		if err := query.Find(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		commits = assemble(rows, nil)
		var changes []changeRow
		err := tx.Select(withoutBody).Where("namespace = ? AND revision IN ?", string(namespace), revisionsOf(commits)).
			Order("revision DESC, name").Find(&changes).Error
		if err != nil {
			return err
		}
		commits = assemble(rows, changes)
		if err := addApprovals(tx, commits); err != nil {
			return err
		}
		return addSchemas(tx, commits, schemaWithoutBody)
	})
	return commits, failure(err)
}

// revisionsOf are those of commits, as a query has them.
func revisionsOf(commits []domain.Commit) []int64 {
	revisions := make([]int64, len(commits))
	for i, c := range commits {
		revisions[i] = int64(c.Revision)
	}
	return revisions
}

// assemble gives commits their changes; both are in the same order of revisions.
func assemble(rows []commitRow, changes []changeRow) []domain.Commit {
	commits := make([]domain.Commit, 0, len(rows))
	for _, row := range rows {
		c := row.commit()
		for len(changes) > 0 && changes[0].Revision == row.Revision {
			c.Changes = append(c.Changes, changes[0].change())
			changes = changes[1:]
		}
		commits = append(commits, c)
	}
	return commits
}

// Revision reads one commit with its documents.
func (s *Store) Revision(ctx context.Context, namespace config.Name, revision config.Revision) (domain.Commit, error) {
	var commits []domain.Commit
	err := s.read(ctx).Transaction(func(tx *gorm.DB) error {
		var rows []commitRow
		if err := tx.Where("namespace = ? AND revision = ?", string(namespace), int64(revision)).Find(&rows).Error; err != nil {
			return err
		}
		var changes []changeRow
		err := tx.Where("namespace = ? AND revision = ?", string(namespace), int64(revision)).Order("name").Find(&changes).Error
		if err != nil {
			return err
		}
		commits = assemble(rows, changes)
		if err := addApprovals(tx, commits); err != nil {
			return err
		}
		return addSchemas(tx, commits, "*")
	})
	if err != nil {
		return domain.Commit{}, failure(err)
	}
	if len(commits) == 0 {
		return domain.Commit{}, fmt.Errorf("%w: revision %d of %s", domain.ErrNotFound, revision, namespace)
	}
	return commits[0], nil
}

// Document reads a config as it stood at a revision.
func (s *Store) Document(ctx context.Context, namespace, name config.Name, at config.Revision) (config.Entry, error) {
	if err := s.written(ctx, namespace, at); err != nil {
		return config.Entry{}, err
	}
	var rows []changeRow
	err := s.read(ctx).Where("namespace = ? AND name = ? AND revision <= ?", string(namespace), string(name), int64(at)).
		Order("revision DESC").Limit(1).Find(&rows).Error
	if err != nil {
		return config.Entry{}, failure(err)
	}
	if len(rows) == 0 || rows[0].Op == string(domain.Delete) {
		return config.Entry{}, fmt.Errorf("%w: %s/%s did not stand at revision %d", domain.ErrNotFound, namespace, name, at)
	}
	return rows[0].kept()
}

// written returns an error that wraps domain.ErrNotFound for a revision that there
// is not, or not yet.
func (s *Store) written(ctx context.Context, namespace config.Name, revision config.Revision) error {
	var found int64
	err := s.read(ctx).Model(&commitRow{}).Where("namespace = ? AND revision = ?", string(namespace), int64(revision)).Count(&found).Error
	if err != nil {
		return failure(err)
	}
	if found == 0 {
		return fmt.Errorf("%w: revision %d of %s", domain.ErrNotFound, revision, namespace)
	}
	return nil
}
