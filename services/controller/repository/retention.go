package repository

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Bounds of one transaction of a compaction, so that writers never wait for long:
// how many documents it drops, and how many bytes it drops before it stops.
const (
	compactDocuments = 500
	compactBytes     = 8 << 20
)

// dropped is the digest of a document that was dropped, or nil.
func (row changeRow) dropped() *config.Digest {
	if len(row.Dropped) == 0 {
		return nil
	}
	digest := config.Digest{}
	copy(digest[:], row.Dropped)
	return &digest
}

// kept is the entry of a row whose document is there, or an error that wraps
// domain.ErrCompacted.
func (row changeRow) kept() (config.Entry, error) {
	if row.dropped() != nil {
		return config.Entry{}, domain.Compacted(config.Name(row.Namespace), config.Name(row.Name), config.Revision(row.Revision))
	}
	return row.entry(), nil
}

// Retained reads which namespaces do not keep everything.
func (s *Store) Retained(ctx context.Context) (map[config.Name]domain.Retention, error) {
	var rows []settingsRow
	if err := s.read(ctx).Where("keep_revisions > 0 OR keep_days > 0").Find(&rows).Error; err != nil {
		return nil, failure(err)
	}
	retained := make(map[config.Name]domain.Retention, len(rows))
	for _, row := range rows {
		retained[config.Name(row.Namespace)] = row.settings().Retention
	}
	return retained, nil
}

// Compactable reads what a compaction would drop.
func (s *Store) Compactable(ctx context.Context, namespace config.Name, keep domain.Retention, at time.Time) (domain.Compaction, error) {
	var would domain.Compaction
	err := s.read(ctx).Transaction(func(tx *gorm.DB) error { // one state of the store for all reads
		from, err := keptFrom(tx, namespace, keep, at)
		if err != nil {
			return err
		}
		would = domain.Compaction{Namespace: namespace, KeptFrom: from}
		for _, table := range changeTables {
			rows, err := superseded(tx, table, namespace, from, -1)
			if err != nil {
				return err
			}
			for _, row := range rows {
				would.Add(row.document())
			}
		}
		return nil
	})
	return would, failure(err)
}

// Compact drops some of the documents that the retention does not keep, the oldest
// first, and says whether more are left. What it drops is told in the audit of the
// same transaction.
func (s *Store) Compact(ctx context.Context, namespace config.Name, keep domain.Retention, by domain.Actor, at time.Time) (did domain.Compaction, more bool, err error) {
	err = s.write(ctx, func(tx *gorm.DB) error {
		from, err := keptFrom(tx, namespace, keep, at)
		if err != nil {
			return err
		}
		did, more = domain.Compaction{Namespace: namespace, KeptFrom: from}, false
		for _, table := range changeTables {
			full, err := drop(tx, table, &did)
			if err != nil {
				return err
			}
			more = more || full
		}
		if did.Documents == 0 {
			return nil
		}
		return appendEntries(tx, []domain.Entry{did.Entry(keep, by, at)})
	})
	if err != nil {
		return domain.Compaction{}, false, err
	}
	return did, more, nil
}

// keptFrom is the oldest revision of a namespace that is kept whole. What a proposal
// that waits was made at is, so that its approval can be told what has moved on.
func keptFrom(tx *gorm.DB, namespace config.Name, keep domain.Retention, at time.Time) (config.Revision, error) {
	if err := exists(tx, namespace); err != nil {
		return 0, err
	}
	var row namespaceRow
	if err := tx.Where("name = ?", string(namespace)).Take(&row).Error; err != nil {
		return 0, fmt.Errorf("read namespace: %w", err)
	}
	stood := row.Revision
	if cutoff, bounded := keep.Cutoff(at); bounded {
		// What stood at the cutoff is the one before the first that came since. A clock
		// that was set back keeps more, never less.
		err := tx.Model(&commitRow{}).Select("COALESCE(MIN(revision) - 1, ?)", stood).
			Where("namespace = ? AND at > ?", string(namespace), cutoff.UnixMilli()).Scan(&stood).Error
		if err != nil {
			return 0, fmt.Errorf("read what stood then: %w", err)
		}
	}
	from := keep.KeptFrom(config.Revision(row.Revision), config.Revision(stood))
	held := int64(from)
	err := waits(tx, namespace, at).Select("COALESCE(MIN(base), ?)", held).Where("base > 0").Scan(&held).Error
	if err != nil {
		return 0, fmt.Errorf("read what waits: %w", err)
	}
	return min(from, config.Revision(held)), nil
}

// A changeTable holds changes that may lose their documents, and the op that brings
// them.
type changeTable struct {
	name string
	op   domain.Op
}

var changeTables = []changeTable{{"changes", domain.Put}, {schemaChanges, domain.PutSchema}}

// superseded reads, without the documents, the changes that did not stand any more
// at a revision: a later change of the same name did, or stood there before it. So
// none that stands is among them, and none that stood at any revision since. A
// limit of -1 is none.
func superseded(tx *gorm.DB, table changeTable, namespace config.Name, from config.Revision, limit int) ([]changeRow, error) {
	var rows []changeRow
	err := tx.Table(table.name+" AS old").Select("old.id, old.revision, old.name, old.op, old.size").
		Where("old.dropped IS NULL AND old.op = '"+string(table.op)+"'"). // as the index has it
		Where("old.namespace = ? AND old.revision < ?", string(namespace), int64(from)).
		Where("EXISTS (SELECT 1 FROM "+table.name+" AS later WHERE later.namespace = old.namespace AND later.name = old.name"+
			" AND later.revision > old.revision AND later.revision <= ?)", int64(from)).
		Order("old.revision, old.name").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read what is superseded: %w", err)
	}
	return rows, nil
}

func (row changeRow) document() domain.Dropped {
	return domain.Dropped{Revision: config.Revision(row.Revision), Op: domain.Op(row.Op), Name: config.Name(row.Name), Size: row.Size}
}

// drop drops documents of a table until the bounds of a transaction are reached,
// and says whether they were.
func drop(tx *gorm.DB, table changeTable, did *domain.Compaction) (full bool, err error) {
	room := compactDocuments - did.Documents
	rows, err := superseded(tx, table, did.Namespace, did.KeptFrom, room+1)
	if err != nil {
		return false, err
	}
	for i, row := range rows {
		if i == room || did.Bytes >= compactBytes {
			return true, nil
		}
		var body []byte
		if err := tx.Table(table.name).Select("body").Where("id = ?", row.ID).Row().Scan(&body); err != nil {
			return false, fmt.Errorf("read the document of %s: %w", row.Name, err)
		}
		digest := config.DigestOf(body)
		if err := tx.Exec("UPDATE "+table.name+" SET body = x'', dropped = ? WHERE id = ?", digest[:], row.ID).Error; err != nil {
			return false, fmt.Errorf("drop the document of %s: %w", row.Name, err)
		}
		did.Add(row.document())
	}
	return false, nil
}
