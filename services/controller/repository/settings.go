package repository

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

type settingsRow struct {
	Namespace      string `gorm:"primaryKey"`
	GuardEmpty     bool
	GuardConfigs   int
	DeletedPercent int
	KeptPercent    int
	FrozenUntil    int64
	Reason         string
	KeepRevisions  int
	KeepDays       int
	Protected      bool
}

func (settingsRow) TableName() string { return "settings" }

func rowOfSettings(namespace config.Name, s domain.Settings) *settingsRow {
	row := &settingsRow{
		Namespace: string(namespace), GuardEmpty: s.Guards.Empty, GuardConfigs: s.Guards.Configs,
		DeletedPercent: s.Guards.DeletedPercent, KeptPercent: s.Guards.KeptPercent, Reason: s.Reason,
		KeepRevisions: s.Retention.Revisions, KeepDays: s.Retention.Days, Protected: s.Protected,
	}
	if !s.FrozenUntil.IsZero() {
		row.FrozenUntil = s.FrozenUntil.UnixMilli()
	}
	return row
}

func (row settingsRow) settings() domain.Settings {
	s := domain.Settings{Reason: row.Reason, Protected: row.Protected, Guards: domain.Guards{
		Empty: row.GuardEmpty, Configs: row.GuardConfigs, DeletedPercent: row.DeletedPercent, KeptPercent: row.KeptPercent,
	}}
	s.Retention = domain.Retention{Revisions: row.KeepRevisions, Days: row.KeepDays}
	if row.FrozenUntil != 0 {
		s.FrozenUntil = instant(row.FrozenUntil)
	}
	return s
}

// settingsOf reads a namespace's settings, the defaults where nobody set any.
func settingsOf(tx *gorm.DB, namespace config.Name) (domain.Settings, error) {
	var rows []settingsRow
	if err := tx.Where("namespace = ?", string(namespace)).Find(&rows).Error; err != nil {
		return domain.Settings{}, fmt.Errorf("read settings: %w", err)
	}
	if len(rows) == 0 {
		return domain.DefaultSettings, nil
	}
	return rows[0].settings(), nil
}

// Settings reads a namespace's settings.
func (s *Store) Settings(ctx context.Context, namespace config.Name) (domain.Settings, error) {
	var settings domain.Settings
	err := s.read(ctx).Transaction(func(tx *gorm.DB) (err error) {
		if err = exists(tx, namespace); err == nil {
			settings, err = settingsOf(tx, namespace)
		}
		return err
	})
	return settings, failure(err)
}

// Amend changes a namespace's settings in one transaction.
func (s *Store) Amend(ctx context.Context, namespace config.Name, by domain.Actor, amend func(domain.Settings) (domain.Settings, error)) (domain.Settings, error) {
	var settings domain.Settings
	err := s.write(ctx, func(tx *gorm.DB) error {
		if err := exists(tx, namespace); err != nil {
			return err
		}
		now, err := settingsOf(tx, namespace)
		if err != nil {
			return err
		}
		if settings, err = amend(now); err != nil {
			return err
		}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(rowOfSettings(namespace, settings)).Error; err != nil {
			return fmt.Errorf("save settings: %w", err)
		}
		return appendEntries(tx, []domain.Entry{settings.Entry(namespace, by, time.Now())})
	})
	return settings, err
}

// exists returns an error that wraps domain.ErrNotFound for a namespace that is
// not written.
func exists(tx *gorm.DB, namespace config.Name) error {
	var found int64
	if err := tx.Model(&namespaceRow{}).Where("name = ?", string(namespace)).Count(&found).Error; err != nil {
		return fmt.Errorf("read namespace: %w", err)
	}
	if found == 0 {
		return fmt.Errorf("%w: namespace %s has nothing yet", domain.ErrNotFound, namespace)
	}
	return nil
}
