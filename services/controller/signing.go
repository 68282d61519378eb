package controller

import (
	"context"
	"log/slog"
	"strings"

	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/settings"
)

// keyFile is where the signing key is: beside the database, unless it is said.
func (c Config) keyFile() string {
	if c.SigningKey != "" {
		return c.SigningKey
	}
	return strings.TrimSuffix(c.DB, ".db") + ".key"
}

// sign returns what vouches for snapshots, with the key that a first start makes.
func (c Config) sign(ctx context.Context, ledger usecase.Ledger, logger *slog.Logger) (*usecase.Signing, error) {
	path := c.keyFile()
	key, made, err := repository.OpenKeyFile(path)
	if err != nil {
		return nil, settings.Usagef("--signing-key %s: %w", path, err)
	}
	newest := key.Keys()[0]
	if made {
		logger.Info("a signing key was made; keep a copy of it with the backups", "file", path, "key", newest.ID)
	}
	logger.Info("snapshots are signed", "key", newest.ID, "keys", len(key.Keys()))
	signing := usecase.NewSigning(key, ledger, logger)
	return signing, signing.CatchUp(ctx)
}
