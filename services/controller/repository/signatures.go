package repository

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// signatureColumns are the signature of a namespace's newest snapshot, NULL where
// it has none.
type signatureColumns struct {
	SignedBy  *string
	Signature []byte
}

func columnsOf(s config.Signature) signatureColumns {
	if !s.Signed() {
		return signatureColumns{}
	}
	return signatureColumns{SignedBy: &s.KeyID, Signature: s.Bytes[:]}
}

// signatureOf reads the signature of a namespace's newest snapshot. Whether it is
// good is for usecase to say: the file may be another controller's.
func signatureOf(tx *gorm.DB, namespace config.Name) (config.Signature, error) {
	var row signatureColumns
	err := tx.Model(&namespaceRow{}).Select("signed_by", "signature").Where("name = ?", string(namespace)).Limit(1).Find(&row).Error
	if err != nil {
		return config.Signature{}, fmt.Errorf("read signature: %w", err)
	}
	var s config.Signature
	if row.SignedBy != nil && copy(s.Bytes[:], row.Signature) == len(s.Bytes) {
		s.KeyID = *row.SignedBy
	}
	return s, nil
}

// KeepSignature keeps the signature of a snapshot, as long as that is the newest.
func (s *Store) KeepSignature(ctx context.Context, snapshot *config.Snapshot) error {
	columns := columnsOf(snapshot.Signature)
	return s.write(ctx, func(tx *gorm.DB) error {
		return tx.Model(&namespaceRow{}).Where("name = ? AND revision = ?", string(snapshot.Namespace), int64(snapshot.Revision)).
			Updates(map[string]any{"signed_by": columns.SignedBy, "signature": columns.Signature}).Error
	})
}

// Record keeps the entry that do returns, in a transaction that do is part of:
// where do fails nothing is kept, and no commit happens meanwhile.
func (s *Store) Record(ctx context.Context, do func() (domain.Entry, error)) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		entry, err := do()
		if err != nil {
			return err
		}
		return appendEntries(tx, []domain.Entry{entry})
	})
}
