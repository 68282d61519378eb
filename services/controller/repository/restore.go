package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
	"gorm.io/gorm"
)

// Restored is what became of a backup.
type Restored struct {
	Proof         // of what stands there now, with its new epoch
	Former string `json:"replaced,omitempty"` // where the database is that stood there
}

// Restore puts a backup in the place of the database at path, under an epoch of its
// own that is later than the backup's. The backup is proved first, and stays as it
// is; a database that stood there is kept under another name. The error wraps
// fs.ErrNotExist, ErrDamaged, or ErrOpen where a controller uses the database.
func Restore(ctx context.Context, backup, path string) (done Restored, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return done, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return done, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return done, fmt.Errorf("%w %s: %w", ErrOpen, path, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	folder, err := os.MkdirTemp(filepath.Dir(path), filepath.Base(path)+copies)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	beside := filepath.Join(folder, "copy.db")
	if err := copyFile(backup, beside); err != nil {
		return done, err
	}
	if done.Proof, err = renew(ctx, beside); err != nil {
		return done, err
	}
	if done.Former, err = setAside(path); err != nil {
		return done, err
	}
	if err := os.Rename(beside, path); err != nil {
		return done, err
	}
	return done, syncFolder(filepath.Dir(path))
}

// renew brings a copy up to what this program knows, gives it a new epoch and
// proves it.
func renew(ctx context.Context, path string) (Proof, error) {
	db, err := connect(ctx, path, writing)
	if err == nil {
		err = migrate(ctx, db)
	}
	if err == nil {
		err = db.WithContext(ctx).Transaction(beginAnew)
	}
	if db != nil {
		err = errors.Join(err, closePool(db)) // which clears the log away
	}
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := syncFile(path); err != nil {
		return Proof{}, err
	}
	return prove(ctx, path)
}

// beginAnew gives a store a new epoch. What was signed is of the former one.
func beginAnew(tx *gorm.DB) error {
	var row storeRow
	if err := tx.Where("key = ?", "epoch").Limit(1).Find(&row).Error; err != nil {
		return err
	}
	if row.Value == "" {
		return errors.New("it has no epoch, as every controller's database has")
	}
	if err := tx.Save(&storeRow{Key: "epoch", Value: later(row.Value)}).Error; err != nil {
		return err
	}
	return tx.Model(&namespaceRow{}).Where("signed_by IS NOT NULL").
		Updates(map[string]any{"signed_by": nil, "signature": nil}).Error
}

// later is a new epoch, later than that one even if the clock went back since.
func later(epoch string) string {
	next := ulid.Make()
	if former, err := ulid.Parse(epoch); err == nil && next.Compare(former) <= 0 {
		_ = next.SetTime(former.Time() + 1) // which the last instant of all has none of
	}
	return next.String()
}

// copyFile copies a backup to a new file that its owner alone can read.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if log, err := os.Stat(from + "-wal"); err == nil && log.Size() > 0 {
		return fmt.Errorf("%w: %s-wal stands beside it, so it is a database in use or a part of one", ErrDamaged, from)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// setAside gives the database at path, where there is one, a second name, under
// which it stays when another takes the first.
func setAside(path string) (former string, err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	former = path + ".replaced-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Link(path, former); err != nil {
		return "", err
	}
	for _, end := range []string{"-wal", "-shm"} { // left by a controller that was killed
		if err := os.Rename(path+end, former+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return former, err
		}
	}
	return former, nil
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
