package repository

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
)

type entryRow struct {
	Seq      int64 `gorm:"primaryKey;autoIncrement:false"`
	At       int64
	Actor    string
	TokenID  string
	Role     string
	Action   string
	Target   string
	Outcome  string
	Detail   string
	Previous []byte
	Hash     []byte
}

func (entryRow) TableName() string { return "audit" }

type headRow struct {
	ID   int64 `gorm:"primaryKey"`
	Seq  int64
	Hash []byte
}

func (headRow) TableName() string { return "audit_head" }

// appendEntries chains entries behind those that are there. It is part of the
// transaction of what they tell of: neither is kept without the other.
func appendEntries(tx *gorm.DB, entries []domain.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	head, err := headOf(tx)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		entry, head = head.Follow(entry)
		if err := tx.Create(rowOfEntry(entry)).Error; err != nil {
			return fmt.Errorf("save audit entry %d: %w", entry.Seq, err)
		}
	}
	return tx.Save(&headRow{ID: 1, Seq: head.Seq, Hash: head.Hash[:]}).Error
}

func headOf(tx *gorm.DB) (domain.AuditHead, error) {
	var row headRow
	if err := tx.Where("id = 1").Limit(1).Find(&row).Error; err != nil {
		return domain.AuditHead{}, fmt.Errorf("read where the audit ends: %w", err)
	}
	head := domain.AuditHead{Seq: row.Seq}
	copy(head.Hash[:], row.Hash)
	return head, nil
}

// AppendEntries keeps entries that nothing else is kept with.
func (s *Store) AppendEntries(ctx context.Context, entries []domain.Entry) error {
	return s.write(ctx, func(tx *gorm.DB) error { return appendEntries(tx, entries) })
}

// Entries reads a page of the audit, newest first, and where it ends.
func (s *Store) Entries(ctx context.Context, before int64, limit int) ([]domain.Entry, domain.AuditHead, error) {
	var entries []domain.Entry
	var head domain.AuditHead
	err := s.read(ctx).Transaction(func(tx *gorm.DB) (err error) { // one state of the store for both reads
		if head, err = headOf(tx); err != nil {
			return err
		}
		query := tx.Order("seq DESC").Limit(limit)
		if before > 0 {
			query = query.Where("seq < ?", before)
		}
		var rows []entryRow
		err = query.Find(&rows).Error
		for _, row := range rows {
			entries = append(entries, row.entry())
		}
		return err
	})
	return entries, head, failure(err)
}

// Targets reads what the audit says that an action was done to.
func (s *Store) Targets(ctx context.Context, action string) ([]string, error) {
	var targets []string
	err := s.read(ctx).Model(&entryRow{}).Where("action = ? AND outcome = ?", action, domain.OutcomeDone).Pluck("target", &targets).Error
	return targets, failure(err)
}

func rowOfEntry(e domain.Entry) *entryRow {
	return &entryRow{
		Seq: e.Seq, At: e.At.UnixMilli(), Actor: e.Actor.Name, TokenID: e.Actor.TokenID, Role: string(e.Actor.Role),
		Action: e.Action, Target: e.Target, Outcome: e.Outcome, Detail: e.Detail, Previous: e.Previous[:], Hash: e.Hash[:],
	}
}

func (row entryRow) entry() domain.Entry {
	e := domain.Entry{
		Seq: row.Seq, At: instant(row.At),
		Actor:  domain.Actor{TokenID: row.TokenID, Name: row.Actor, Role: domain.Role(row.Role)},
		Action: row.Action, Target: row.Target, Outcome: row.Outcome, Detail: row.Detail,
	}
	copy(e.Previous[:], row.Previous)
	copy(e.Hash[:], row.Hash)
	return e
}
