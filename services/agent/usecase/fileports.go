package usecase

import (
	"context"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A Renderer makes the content of files.
type Renderer interface {
	// Render returns what is to stand at a path. An error that is a *domain.Refusal
	// says by its code what is wrong.
	Render(ctx context.Context, to string, snapshots map[config.Name]*config.Snapshot) ([]byte, error)
}

// A Disk is where the files are. It never leaves a file's root.
type Disk interface {
	// Read returns what stands at the file's path.
	Read(f domain.File) (domain.Version, error)
	// Replace writes a version beside, asks about its path, and puts it in place
	// where the answer is nil; any other it returns, and all is as it was. A version
	// that is not present is put in place by removing the file. When it returns nil
	// the change is on disk.
	Replace(f domain.File, v domain.Version, ask func(beside string) error) error
	// Discard removes what a process that was killed left beside the file.
	Discard(f domain.File) error
}

// A Ledger keeps records of files over restarts.
type Ledger interface {
	// Record returns that of a path, an empty one for none.
	Record(to string) domain.FileRecord
	// KeepRecord returns nil once the record is on disk.
	KeepRecord(r domain.FileRecord) error
}

// Commands runs commands of the host.
type Commands interface {
	// Run returns nil if the command ended with 0 within that time. The error says
	// how else, and quotes the end of what it printed.
	Run(ctx context.Context, command []string, to string, within time.Duration) error
}
