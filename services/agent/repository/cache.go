// Package repository is an agent's own disk: its last good snapshots, and the files
// of the host that it makes of them.
package repository

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
)

// A Cache is a folder of last good snapshots.
type Cache struct {
	folder *lastgood.Folder
	logger *slog.Logger
}

// Require names what a snapshot has to pass that is loaded. It is set before the
// first Load.
func (c *Cache) Require(check func(*config.Snapshot) error) { c.folder.Require(check) }

// NewCache returns a cache in that folder.
func NewCache(folder *lastgood.Folder, logger *slog.Logger) *Cache {
	return &Cache{folder: folder, logger: logger}
}

// Keep returns nil once the snapshot is on disk.
func (c *Cache) Keep(snapshot *config.Snapshot, confirmed time.Time) error {
	return c.folder.Save(snapshot, confirmed)
}

// intervalFile has the poll interval that upstream told last.
const intervalFile = "poll-interval"

// KeepInterval keeps the poll interval that upstream told.
func (c *Cache) KeepInterval(told time.Duration) error {
	return c.folder.WriteFile(intervalFile, []byte(told.String()+"\n"))
}

// Interval returns the poll interval that is kept, 0 where none can be read.
func (c *Cache) Interval() time.Duration {
	content, err := c.folder.ReadFile(intervalFile)
	if err != nil {
		return 0
	}
	told, err := time.ParseDuration(strings.TrimSpace(string(content)))
	if err != nil || told < 0 || told > 24*time.Hour {
		return 0
	}
	return told
}

// Check returns nil if something can be kept.
func (c *Cache) Check() error { return c.folder.Writable() }

// Load returns what the folder has of a namespace, an empty Holding for nothing.
// A damaged generation is set aside; the log and the Holding say why.
func (c *Cache) Load(namespace config.Name) domain.Holding {
	kept, err := c.folder.Load(namespace)
	held := domain.Holding{Damage: kept.Damage}
	if err == nil {
		held = domain.Restored(kept.Snapshot, kept.Confirmed)
		held.Damage = kept.Damage
	} else if errors.Is(err, config.ErrDamaged) || errors.Is(err, config.ErrSignature) {
		held.Damage = err
	}
	switch {
	case held.Damage != nil && held.Snapshot != nil:
		c.logger.Warn("the newest generation is damaged; the one before it serves", "namespace", namespace, "error", held.Damage)
	case held.Damage != nil:
		c.logger.Warn("the cache is damaged; nothing serves until it is fetched again", "namespace", namespace, "error", held.Damage)
	}
	return held
}

// Namespaces returns those of which the folder has something, or had.
func (c *Cache) Namespaces() ([]config.Name, error) { return c.folder.Namespaces() }
