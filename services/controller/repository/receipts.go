package repository

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/heraldconf/herald/services/controller/domain"
)

type receiptRow struct {
	Actor   string `gorm:"primaryKey"`
	Method  string `gorm:"primaryKey"`
	Path    string `gorm:"primaryKey"`
	Key     string `gorm:"primaryKey"`
	Request []byte
	Answer  []byte
	At      int64
}

func (receiptRow) TableName() string { return "receipts" }

// Receipt reads the receipt of a request.
func (s *Store) Receipt(ctx context.Context, r domain.Request, since time.Time) (*domain.Receipt, error) {
	var rows []receiptRow
	err := s.read(ctx).Where("actor = ? AND method = ? AND path = ? AND key = ? AND at > ?", r.Actor, r.Method, r.Path, r.Key, since.UnixMilli()).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, failure(err)
	}
	receipt := &domain.Receipt{Request: r, Answer: rows[0].Answer, At: instant(rows[0].At)}
	copy(receipt.Sum[:], rows[0].Request)
	return receipt, nil
}

// KeepReceipt keeps a receipt that no commit is kept with.
func (s *Store) KeepReceipt(ctx context.Context, receipt domain.Receipt) error {
	return s.write(ctx, func(tx *gorm.DB) error { return saveReceipt(tx, &receipt) })
}

// saveReceipt keeps a receipt in the transaction of what it is about, and forgets
// those that have had their time.
func saveReceipt(tx *gorm.DB, r *domain.Receipt) error {
	if r == nil {
		return nil
	}
	if err := tx.Where("at <= ?", r.At.Add(-domain.ReceiptsFor).UnixMilli()).Delete(&receiptRow{}).Error; err != nil {
		return fmt.Errorf("forget old receipts: %w", err)
	}
	row := receiptRow{
		Actor: r.Actor, Method: r.Method, Path: r.Path, Key: r.Key,
		Request: r.Sum[:], Answer: r.Answer, At: r.At.UnixMilli(),
	}
	if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
		return fmt.Errorf("save receipt: %w", err)
	}
	return nil
}
