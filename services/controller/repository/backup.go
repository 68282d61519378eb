package repository

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/heraldconf/herald/services/controller/usecase"
)

// copying is how the database is read whole: VACUUM INTO writes a file, which
// query_only would refuse.
var copying = access{
	parameters:  "mode=ro&_busy_timeout=5000",
	connections: 1,
	pragmas:     map[string]string{"journal_mode": "wal", "query_only": "0"},
}

// Backup copies the database, as it stands at one moment, into a file beside it,
// proves the copy and lends it to use; then the file is gone. Writers go on. The
// error wraps usecase.ErrUnavailable while another copy is made, usecase.ErrStorageFull,
// ErrDamaged, or is that of use.
func (s *Store) Backup(ctx context.Context, use func(*os.File) error) (err error) {
	if !s.copying.TryLock() {
		return fmt.Errorf("%w: another backup is being made", usecase.ErrUnavailable)
	}
	defer s.copying.Unlock()
	folder, err := os.MkdirTemp(filepath.Dir(s.path), filepath.Base(s.path)+copies) // others may not look into it
	if err != nil {
		return noRoom(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := filepath.Join(folder, "copy.db")
	if err := copyInto(ctx, s.path, path); err != nil {
		return failure(err)
	}
	if _, err := prove(ctx, path); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return noRoom(err)
	}
	defer func() { _ = file.Close() }()
	return use(file)
}

func copyInto(ctx context.Context, from, to string) error {
	db, err := connect(ctx, from, copying)
	if err != nil {
		return err
	}
	return errors.Join(db.WithContext(ctx).Exec("VACUUM INTO ?", to).Error, closePool(db))
}

// noRoom puts an error of the file system into the words of package usecase.
func noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", usecase.ErrStorageFull, plain(err))
	}
	return fmt.Errorf("%w: a backup needs room beside the database: %w", usecase.ErrUnavailable, plain(err))
}

// copies is what the folders of copies are called behind the database's name.
const copies = ".copy-*"

// sweep removes the copies of a process that was killed over them.
func sweep(path string) error {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"+copies))
	for _, folder := range left {
		if ours, _ := filepath.Match(filepath.Base(path)+copies, filepath.Base(folder)); ours {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}
	return err
}
