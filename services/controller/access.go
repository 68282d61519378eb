package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/settings"
)

// bootstrapped are the tokens that a first start hands out. Each becomes a file:
// admin.token, and so on. A worker's is what callers of an agent bring; no
// controller is asked with it.
var bootstrapped = []domain.Token{
	{Name: "admin", Role: domain.Admin, Namespaces: domain.AllNamespaces},
	{Name: "publisher", Role: domain.Publisher, Namespaces: domain.AllNamespaces},
	{Name: "agent", Role: domain.AgentRole, Namespaces: domain.AllNamespaces},
	{Name: "worker", Role: domain.Reader, Namespaces: domain.AllNamespaces},
}

// shortToken is how long a token should be at least that is given from outside.
const shortToken = 16

// admit returns who is let in: the tokens of the store, those that a first start
// makes, and the admin's that is given from outside.
func (c Config) admit(ctx context.Context, vault usecase.Vault, logger *slog.Logger) (*usecase.Tokens, error) {
	given := c.AdminToken.Reveal()
	if len(given) > 0 && len(given) < shortToken {
		logger.Warn("the token of --admin-token can be guessed: use 16 characters or more")
	}
	tokens, err := usecase.NewTokens(ctx, vault, given, logger)
	if err != nil {
		return nil, err
	}
	if c.BootstrapDir != "" {
		made, err := tokens.Bootstrap(ctx, bootstrapped, func(secrets map[string]string) error { return handOut(c.BootstrapDir, secrets) })
		if err != nil {
			return nil, err
		}
		logger.Info("tokens are handed out at a first start", "folder", c.BootstrapDir, "made", made)
	}
	switch {
	case c.AllowAnonymous && tokens.Exist():
		logger.Warn("--allow-anonymous lets nobody in, since there are tokens")
	case c.AllowAnonymous:
		logger.Warn("anybody who reaches the address can read and write: --allow-anonymous")
	}
	return tokens, nil
}

// checkAdminToken refuses a token that no header could carry.
func (c Config) checkAdminToken() error {
	odd := func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }
	if strings.ContainsFunc(c.AdminToken.Reveal(), odd) {
		return settings.Usagef("--admin-token: a token has printable ASCII characters, and no blank")
	}
	return nil
}

// handOut writes each secret to a file of its own, that only this user reads. They
// are on disk when it returns: the store keeps no secret that could be read again.
func handOut(folder string, secrets map[string]string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return settings.Usagef("--bootstrap-dir: %w; choose a folder that can be written", err)
	}
	var errs []error
	for name, secret := range secrets {
		errs = append(errs, writeSecret(filepath.Join(folder, name+".token"), secret))
	}
	if err := errors.Join(append(errs, syncFolder(folder))...); err != nil {
		return settings.Usagef("--bootstrap-dir: %w; choose a folder that can be written", err)
	}
	return nil
}

func writeSecret(path, secret string) error {
	beside := path + ".new"
	if err := os.Remove(beside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, secret)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
