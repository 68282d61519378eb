package repository

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/heraldconf/herald/services/controller/usecase"
)

// oldestSQLite is the first version without the bug that corrupts a database when
// its write-ahead log begins anew.
const oldestSQLite = 3_051_003

// An access is a way to open the database: what the driver is told, and what
// SQLite must answer when it is asked. The driver ignores a parameter that it does
// not know without a word, and its default is not to wait for the disk.
type access struct {
	parameters  string
	connections int
	pragmas     map[string]string
}

var writing = access{
	parameters:  "mode=rw&_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_txlock=immediate&_foreign_keys=on",
	connections: 1,
	pragmas: map[string]string{
		"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "1", "query_only": "0",
	},
}

var reading = access{
	parameters:  "mode=ro&_query_only=on&_busy_timeout=5000&_synchronous=FULL&_foreign_keys=on",
	connections: 4,
	pragmas: map[string]string{
		"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "1", "query_only": "1",
	},
}

// connect opens a pool and reads back how SQLite really runs.
func connect(ctx context.Context, path string, how access) (*gorm.DB, error) {
	name := (&url.URL{Scheme: "file", Path: path, RawQuery: how.parameters}).String()
	pool, err := sql.Open(sqlite.DriverName, name)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(how.connections)
	pool.SetMaxIdleConns(how.connections)
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: pool}), &gorm.Config{
		Logger: logger.Discard, SkipDefaultTransaction: true, DisableAutomaticPing: true,
	})
	if err == nil {
		err = how.verify(ctx, pool)
	}
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return db, nil
}

// verify refuses a pool that does not run as it was told to.
func (how access) verify(ctx context.Context, pool *sql.DB) error {
	if text, version, _ := sqlite3.Version(); version < oldestSQLite {
		return fmt.Errorf("SQLite %s can corrupt it: 3.51.3 or newer is needed", text)
	}
	for pragma, want := range how.pragmas {
		var have string
		if err := pool.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&have); err != nil {
			return fmt.Errorf("read pragma %s: %w", pragma, err)
		}
		if !strings.EqualFold(have, want) {
			return fmt.Errorf("SQLite runs with %s = %s, but %s is needed", pragma, have, want)
		}
	}
	return nil
}

// failure puts the error of a database into the words of package usecase. What
// is none of the database's, such as a rule's refusal, stays as it is, and so does
// what can only be our own mistake, such as a statement that SQLite cannot read.
func failure(err error) error {
	broken, ok := errors.AsType[sqlite3.Error](err)
	switch {
	case ok && (broken.Code == sqlite3.ErrConstraint || broken.Code == sqlite3.ErrError || broken.Code == sqlite3.ErrMisuse):
		return err
	case ok && broken.Code == sqlite3.ErrFull:
		return fmt.Errorf("%w: %w", usecase.ErrStorageFull, err)
	case ok, errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrConnDone), errors.Is(err, sql.ErrTxDone):
		return fmt.Errorf("%w: %w", usecase.ErrUnavailable, err)
	}
	return err
}
