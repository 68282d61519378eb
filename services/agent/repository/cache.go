// Package repository is an agent's own state: its last good snapshots on disk.
package repository

import (
	"errors"
	"log/slog"
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

// NewCache returns a cache in that folder.
func NewCache(folder *lastgood.Folder, logger *slog.Logger) *Cache {
	return &Cache{folder: folder, logger: logger}
}

// Keep returns nil once the snapshot is on disk.
func (c *Cache) Keep(snapshot *config.Snapshot, confirmed time.Time) error {
	return c.folder.Save(snapshot, confirmed)
}

// Load returns what the folder has of a namespace, an empty Holding for nothing.
// A damaged generation is set aside, and the log says why.
func (c *Cache) Load(namespace config.Name) domain.Holding {
	kept, err := c.folder.Load(namespace)
	if kept.Damage != nil {
		c.logger.Warn("the newest generation is damaged; the one before it serves", "namespace", namespace, "error", kept.Damage)
	}
	if errors.Is(err, config.ErrDamaged) {
		c.logger.Warn("the cache is damaged; nothing serves until it is fetched again", "namespace", namespace, "error", err)
	}
	if err != nil {
		return domain.Holding{}
	}
	return domain.Restored(kept.Snapshot, kept.Confirmed)
}

// Namespaces returns those of which the folder has something.
func (c *Cache) Namespaces() ([]config.Name, error) { return c.folder.Namespaces() }
