package repository

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
)

// unheardName begins with a dot, which no namespace does.
const unheardName = ".verdicts"

// Unheard keeps the verdicts that nobody above has heard, in one file of the cache
// folder.
type Unheard struct {
	folder *lastgood.Folder
	logger *slog.Logger
}

// NewUnheard returns the ones in that folder.
func NewUnheard(folder *lastgood.Folder, logger *slog.Logger) *Unheard {
	return &Unheard{folder: folder, logger: logger}
}

// Verdicts returns what is on disk. What cannot be read, or is no verdict, is left out.
func (u *Unheard) Verdicts() []config.Verdict {
	content, err := u.folder.ReadFile(unheardName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var kept, sound []config.Verdict
	if err == nil {
		err = json.Unmarshal(content, &kept)
	}
	for _, v := range kept {
		if wrong := v.Check(); wrong != nil {
			err = errors.Join(err, wrong)
			continue
		}
		sound = append(sound, v)
	}
	if err != nil {
		u.logger.Warn("cannot read all verdicts that were kept", "error", err)
	}
	return sound
}

// KeepVerdicts returns nil once these are on disk, in the place of those before.
func (u *Unheard) KeepVerdicts(verdicts []config.Verdict) error {
	content, err := json.Marshal(verdicts)
	if err != nil {
		return fmt.Errorf("encode the verdicts: %w", err)
	}
	if err := u.folder.WriteFile(unheardName, content); err != nil {
		return fmt.Errorf("keep the verdicts: %w", err)
	}
	return nil
}
