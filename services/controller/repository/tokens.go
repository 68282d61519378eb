package repository

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/heraldconf/herald/services/controller/domain"
)

type tokenRow struct {
	ID         string `gorm:"primaryKey"`
	Name       string
	Role       string
	Namespaces domain.Scope `gorm:"serializer:json"`
	Hash       []byte
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
	ExpiresAt  int64
	LastUsedAt int64
	RevokedAt  int64
}

func (tokenRow) TableName() string { return "tokens" }

// LoadTokens reads all tokens.
func (s *Store) LoadTokens(ctx context.Context) ([]domain.Token, error) {
	var rows []tokenRow
	if err := s.read(ctx).Order("id").Find(&rows).Error; err != nil {
		return nil, failure(err)
	}
	tokens := make([]domain.Token, 0, len(rows))
	for _, row := range rows {
		tokens = append(tokens, row.token())
	}
	return tokens, nil
}

// SaveTokens keeps tokens, and what the audit tells of them, in one transaction.
func (s *Store) SaveTokens(ctx context.Context, tokens []domain.Token, told []domain.Entry) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		for _, token := range tokens {
			row := rowOfToken(token)
			if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
				return fmt.Errorf("save token %s: %w", token.ID, err)
			}
		}
		return appendEntries(tx, told)
	})
}

// TokensUsed keeps when tokens were used last.
func (s *Store) TokensUsed(ctx context.Context, used map[string]time.Time) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		for id, at := range used {
			if err := tx.Model(&tokenRow{}).Where("id = ?", id).Update("last_used_at", at.UnixMilli()).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

func rowOfToken(t domain.Token) tokenRow {
	return tokenRow{
		ID: t.ID, Name: t.Name, Role: string(t.Role), Namespaces: t.Namespaces, Hash: t.Hash[:],
		CreatedAt: milliseconds(t.CreatedAt), ExpiresAt: milliseconds(t.ExpiresAt),
		LastUsedAt: milliseconds(t.LastUsedAt), RevokedAt: milliseconds(t.RevokedAt),
	}
}

func (row tokenRow) token() domain.Token {
	t := domain.Token{
		ID: row.ID, Name: row.Name, Role: domain.Role(row.Role), Namespaces: row.Namespaces,
		CreatedAt: timeOf(row.CreatedAt), ExpiresAt: timeOf(row.ExpiresAt),
		LastUsedAt: timeOf(row.LastUsedAt), RevokedAt: timeOf(row.RevokedAt),
	}
	copy(t.Hash[:], row.Hash)
	return t
}

// milliseconds writes a time as a column has it, in which 0 is never.
func milliseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return instant(ms)
}
