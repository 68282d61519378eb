package controller

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/heraldconf/herald/services/controller/repository"
)

// ErrDamaged means that a backup is not whole, or not what was written.
var ErrDamaged = repository.ErrDamaged

// Restored is what became of a backup.
type Restored struct {
	repository.Restored
	Key     string `json:"-"` // where the controller will look for its signing key
	Keyless bool   `json:"-"` // whether there is none
}

// Restore puts a backup in the place of a database, while no controller uses it.
func Restore(ctx context.Context, backup, db string) (Restored, error) {
	done, err := repository.Restore(ctx, backup, db)
	restored := Restored{Restored: done, Key: Config{DB: db}.keyFile()}
	if _, missing := os.Stat(restored.Key); errors.Is(missing, fs.ErrNotExist) {
		restored.Keyless = true
	}
	return restored, err
}
