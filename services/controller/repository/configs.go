package repository

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

type namespaceRow struct {
	Name      string `gorm:"primaryKey"`
	Revision  int64
	Head      []byte
	UpdatedAt int64            `gorm:"autoUpdateTime:false"`
	Signed    signatureColumns `gorm:"embedded"`
}

func (namespaceRow) TableName() string { return "namespaces" }

type changeRow struct {
	ID        int64 `gorm:"primaryKey"`
	Namespace string
	Revision  int64
	Name      string
	Op        string
	MediaType string
	Etag      string
	Size      int
	Body      []byte
	Dropped   []byte `gorm:"->"` // only a compaction writes it
}

func (changeRow) TableName() string { return "changes" }

type configRow struct {
	Namespace string `gorm:"primaryKey"`
	Name      string `gorm:"primaryKey"`
	ChangeID  int64
}

func (configRow) TableName() string { return "configs" }

type outboxRow struct {
	ID        int64 `gorm:"primaryKey"`
	Namespace string
	Epoch     string
	Revision  int64
}

func (outboxRow) TableName() string { return "outbox" }

// Update makes one commit in one transaction: it reads the namespace, asks revise,
// and saves the commit, its changes and its announcement.
func (s *Store) Update(ctx context.Context, namespace config.Name, revise func(domain.Namespace) (domain.Commit, error)) (domain.Commit, error) {
	var commit domain.Commit
	err := s.write(ctx, func(tx *gorm.DB) error {
		now, err := s.standing(tx, namespace)
		if err != nil {
			return err
		}
		commit, err = revise(now)
		if err != nil || !commit.Changed() {
			return err
		}
		return save(tx, commit)
	})
	if err != nil {
		return domain.Commit{}, err
	}
	return commit, nil
}

// standing reads a namespace as the rules need it. One that is not written stands
// at revision 0 of the store's epoch.
func (s *Store) standing(tx *gorm.DB, namespace config.Name) (domain.Namespace, error) {
	now := domain.Namespace{
		Name: namespace, Position: config.Position{Epoch: s.epoch},
		Configs: map[config.Name]domain.Config{}, Tombstones: map[config.Name]config.Revision{},
	}
	var rows []namespaceRow
	if err := tx.Where("name = ?", string(namespace)).Find(&rows).Error; err != nil {
		return now, fmt.Errorf("read namespace: %w", err)
	}
	settings, err := settingsOf(tx, namespace)
	if err != nil {
		return now, err
	}
	now.Settings = settings
	if now.Schemas, err = schemasOf(tx, namespace); err != nil {
		return now, err
	}
	for _, row := range rows {
		now.Revision, now.UpdatedAt = config.Revision(row.Revision), instant(row.UpdatedAt)
		copy(now.Head[:], row.Head)
	}
	var changes []changeRow
	if err := newest(tx, namespace).Select(withoutBody + shortBody).Find(&changes).Error; err != nil {
		return now, fmt.Errorf("read configs: %w", err)
	}
	for _, row := range changes {
		if row.Op == string(domain.Delete) {
			now.Tombstones[config.Name(row.Name)] = config.Revision(row.Revision)
			continue
		}
		now.Configs[config.Name(row.Name)] = row.config()
	}
	return now, nil
}

// withoutBody leaves the documents out. How long one is says the document itself,
// which the commit's hash covers: the guards believe no number beside it.
const withoutBody = "changes.id, changes.namespace, changes.revision, changes.name, changes.op, changes.media_type, changes.etag, " +
	"CASE WHEN changes.dropped IS NULL THEN length(changes.body) ELSE changes.size END AS size"

// shortBody adds the bodies that may be empty documents.
var shortBody = fmt.Sprintf(", CASE WHEN length(changes.body) <= %d THEN changes.body ELSE x'' END AS body", domain.MaxEmpty)

// newest are the newest changes of a namespace's names, in name order.
func newest(tx *gorm.DB, namespace config.Name) *gorm.DB {
	return tx.Model(&changeRow{}).Joins("JOIN configs ON configs.change_id = changes.id AND configs.name = changes.name").
		Where("configs.namespace = ?", string(namespace)).Order("configs.name")
}

func (row changeRow) config() domain.Config {
	return domain.Config{
		Name: config.Name(row.Name), Revision: config.Revision(row.Revision), ETag: config.ETag(row.Etag),
		MediaType: row.MediaType, Size: row.Size,
		Empty: row.Size <= domain.MaxEmpty && domain.Empty(config.Document{MediaType: row.MediaType, Body: row.Body}),
	}
}

func (row changeRow) entry() config.Entry {
	return config.Entry{
		Name: config.Name(row.Name), Revision: config.Revision(row.Revision), ETag: config.ETag(row.Etag),
		Document: config.Document{MediaType: row.MediaType, Body: row.Body},
	}
}

// save keeps a commit, and its entry in the audit.
func save(tx *gorm.DB, commit domain.Commit) error {
	if err := saveCommit(tx, commit); err != nil {
		return err
	}
	return appendEntries(tx, []domain.Entry{commit.Entry()})
}

func saveCommit(tx *gorm.DB, commit domain.Commit) error {
	namespace := namespaceRow{
		Name: string(commit.Namespace), Revision: int64(commit.Revision),
		Head: commit.Hash[:], UpdatedAt: commit.At.UnixMilli(), Signed: columnsOf(commit.Signature),
	}
	if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&namespace).Error; err != nil {
		return fmt.Errorf("save namespace: %w", err)
	}
	if err := tx.Create(rowOfCommit(commit)).Error; err != nil {
		return fmt.Errorf("save commit: %w", err)
	}
	for _, change := range commit.Changes {
		if err := saveChange(tx, commit, change); err != nil {
			return fmt.Errorf("save change of %s: %w", change.Name, err)
		}
	}
	if err := saveSchemas(tx, commit); err != nil {
		return err
	}
	announcement := outboxRow{Namespace: namespace.Name, Epoch: string(commit.Epoch), Revision: namespace.Revision}
	if err := tx.Create(&announcement).Error; err != nil {
		return fmt.Errorf("save announcement: %w", err)
	}
	return saveReceipt(tx, commit.Receipt)
}

func saveChange(tx *gorm.DB, commit domain.Commit, change domain.Change) error {
	row := rowOfChange(commit, change)
	if err := tx.Create(&row).Error; err != nil {
		return err
	}
	pointer := configRow{Namespace: row.Namespace, Name: row.Name, ChangeID: row.ID}
	return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&pointer).Error
}

func rowOfChange(commit domain.Commit, change domain.Change) changeRow {
	row := changeRow{
		Namespace: string(commit.Namespace), Revision: int64(commit.Revision), Name: string(change.Name), Op: string(change.Op),
		MediaType: change.MediaType, Etag: string(change.ETag), Size: len(change.Body), Body: change.Body,
	}
	if row.Body == nil {
		row.Body = []byte{}
	}
	return row
}

// Newest reads a namespace's snapshot, with the signature that was kept.
func (s *Store) Newest(ctx context.Context, namespace config.Name) (*config.Snapshot, error) {
	var at config.Position
	var configs []config.Entry
	var tombstones []config.Tombstone
	var signature config.Signature
	err := s.read(ctx).Transaction(func(tx *gorm.DB) error { // one state of the store for both reads
		now, err := s.standing(tx, namespace)
		if err != nil {
			return err
		}
		at = now.Position
		for name, revision := range now.Tombstones {
			tombstones = append(tombstones, config.Tombstone{Name: name, Revision: revision})
		}
		if signature, err = signatureOf(tx, namespace); err != nil {
			return err
		}
		var rows []changeRow
		err = newest(tx, namespace).Where("changes.op = ?", string(domain.Put)).Find(&rows).Error
		for _, row := range rows {
			configs = append(configs, row.entry())
		}
		return err
	})
	switch {
	case err != nil:
		return nil, failure(err)
	case at.Revision == 0:
		return nil, fmt.Errorf("%w: namespace %s has nothing yet", domain.ErrNotFound, namespace)
	}
	snapshot := config.Seal(namespace, at, configs, tombstones)
	snapshot.Signature = signature
	return snapshot, nil
}

// Names reads which namespaces there are.
func (s *Store) Names(ctx context.Context) ([]config.Name, error) {
	var names []config.Name
	err := s.read(ctx).Model(&namespaceRow{}).Order("name").Pluck("name", &names).Error
	return names, failure(err)
}
