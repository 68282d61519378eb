package repository

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/lastgood"
)

// A Ledger keeps records of the files that an agent makes, each in a file of its
// own in the cache folder.
type Ledger struct {
	folder *lastgood.Folder
	logger *slog.Logger
}

// NewLedger returns a ledger in that folder.
func NewLedger(folder *lastgood.Folder, logger *slog.Logger) *Ledger {
	return &Ledger{folder: folder, logger: logger}
}

// ledgerName begins with a dot, which no namespace does.
func ledgerName(to string) string {
	digest := sha256.Sum256([]byte(to))
	return ".file-" + hex.EncodeToString(digest[:16])
}

// Record returns that of a path, an empty one where there is none. One that cannot
// be read counts as none: a command runs once more than it need.
func (l *Ledger) Record(to string) domain.FileRecord {
	content, err := l.folder.ReadFile(ledgerName(to))
	if errors.Is(err, fs.ErrNotExist) {
		return domain.FileRecord{Path: to}
	}
	var record domain.FileRecord
	if err == nil {
		err = json.Unmarshal(content, &record)
	}
	if err == nil && record.Path != to {
		err = fmt.Errorf("it is of %q", record.Path)
	}
	if err != nil {
		l.logger.Warn("cannot read what is remembered of a file", "file", to, "error", err)
		return domain.FileRecord{Path: to}
	}
	return record
}

// KeepRecord returns nil once the record is on disk.
func (l *Ledger) KeepRecord(r domain.FileRecord) error {
	content, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the record: %w", err)
	}
	if err := l.folder.WriteFile(ledgerName(r.Path), content); err != nil {
		return fmt.Errorf("keep the record of %s: %w", r.Path, err)
	}
	return nil
}
