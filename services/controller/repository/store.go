// Package repository is the controller's own state: GORM on SQLite, one writer,
// readers apart, every commit on disk before it is answered. It knows how things
// are kept, not why a commit is refused; it knows no HTTP and no bus.
package repository

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/pressly/goose/v3"
	"gorm.io/gorm"

	"github.com/heraldconf/herald/shared/config"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrOpen means that a store cannot be opened; its text says what to do.
var ErrOpen = errors.New("cannot open the database")

// writeTimeout bounds a write, whoever asked for it: a client that goes away does
// not take back what it began.
const writeTimeout = 15 * time.Second

// A Store is the controller's database. It is the Store, History, Catalogue,
// Outbox and Register of package usecase.
type Store struct {
	epoch  config.Epoch
	path   string
	writer *gorm.DB      // one connection
	reader *gorm.DB      // a pool that cannot write
	turn   chan struct{} // is full while somebody writes: SQLite itself lets writers wait in no order
	lock   *os.File

	copying sync.Mutex // by one backup at a time

	probe struct {
		sync.Mutex
		at  time.Time
		err error
	}
}

// Open opens the database in that file and makes it, with its folder, if it is not
// there. An error wraps ErrOpen.
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrOpen, path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string) (s *Store, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := prepare(path); err != nil {
		return nil, err
	}
	s = &Store{path: path, turn: make(chan struct{}, 1)}
	opened := s // a failure returns nil for s
	defer func() {
		if err != nil {
			_ = opened.Close()
		}
	}()
	if s.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, err
	}
	if err := sweep(path); err != nil {
		return nil, err
	}
	if s.writer, err = connect(ctx, path, writing); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.writer); err != nil {
		return nil, err
	}
	if s.reader, err = connect(ctx, path, reading); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, s.Ready(ctx)
}

// prepare sees to it that the file can be there and that nobody else reads it.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("%w: choose another place with --db, or make the folder writable", plain(err))
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("%w: choose another place with --db, or make it writable for this user", plain(err))
	}
	return file.Close()
}

// plain drops the path from an error of the file system: the caller names it.
func plain(err error) error {
	if perr, ok := errors.AsType[*fs.PathError](err); ok {
		return perr.Err
	}
	return err
}

func migrate(ctx context.Context, db *gorm.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files,
		goose.WithSlog(slog.New(slog.DiscardHandler)), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	known := provider.ListSources()
	have, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read which migrations were made: %w", err)
	}
	if newest := known[len(known)-1].Version; have > newest {
		return fmt.Errorf("it was written by a newer version (schema %d, this program knows %d): run that version", have, newest)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// A storeRow is a fact about the store itself.
type storeRow struct {
	Key   string `gorm:"primaryKey"`
	Value string
}

func (storeRow) TableName() string { return "store" }

// begin reads the store's epoch, and makes one for a new store.
func (s *Store) begin(ctx context.Context) error {
	row := storeRow{Key: "epoch", Value: ulid.Make().String()}
	if err := s.writer.WithContext(ctx).Where(storeRow{Key: row.Key}).FirstOrCreate(&row).Error; err != nil {
		return fmt.Errorf("read the epoch: %w", err)
	}
	s.epoch = config.Epoch(row.Value)
	return nil
}

// Epoch is the identity of the store.
func (s *Store) Epoch() config.Epoch { return s.epoch }

// probeEvery is how long an answer of Ready counts.
const probeEvery = 2 * time.Second

// Ready returns nil if the store is really writable. It writes to find out, every
// two seconds at most. The error wraps usecase.ErrUnavailable or ErrStorageFull.
func (s *Store) Ready(ctx context.Context) error {
	s.probe.Lock()
	defer s.probe.Unlock()
	if !s.probe.at.IsZero() && time.Since(s.probe.at) < probeEvery {
		return s.probe.err
	}
	s.probe.err = s.write(ctx, func(tx *gorm.DB) error {
		return tx.Save(&storeRow{Key: "probe", Value: time.Now().UTC().Format(time.RFC3339Nano)}).Error
	})
	s.probe.at = time.Now()
	return s.probe.err
}

// write runs a transaction that begins by taking the write lock and is on disk
// when write returns nil.
func (s *Store) write(ctx context.Context, do func(tx *gorm.DB) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return failure(ctx.Err())
	}
	defer func() { <-s.turn }()
	return failure(s.writer.WithContext(ctx).Transaction(do))
}

// read returns a session of the readers.
func (s *Store) read(ctx context.Context) *gorm.DB { return s.reader.WithContext(ctx) }

// Close closes the store. What was acknowledged is on disk already.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*gorm.DB{s.reader, s.writer} { // the writer last: it clears the log away
		if db == nil {
			continue
		}
		errs = append(errs, closePool(db))
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Bounds of what a time can be told as: RFC 3339 has four digits for a year.
var (
	firstInstant = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	// What expires later than a row was made can be told too.
	lastInstant = time.Date(9_999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1
)

// instant is a time as the store has it, in milliseconds since 1970. One beyond all
// years, which a hand in the database may leave there, is the first or the last that
// can be told: its row can be shown, and does not match its hash.
func instant(ms int64) time.Time {
	return time.UnixMilli(min(max(ms, firstInstant), lastInstant)).UTC()
}
