package agent

import (
	"log/slog"

	"github.com/heraldconf/herald/services/agent/gateway"
	"github.com/heraldconf/herald/shared/settings"
	"github.com/heraldconf/herald/shared/trust"
)

// trust opens what says whose signatures count, with the keys that are pinned in
// the cache folder.
func (c Config) trust(p *parts, upstream *gateway.Upstream, logger *slog.Logger) (err error) {
	if p.trust, err = trust.Open(p.whose, p.folder, upstream.Keys, logger); err != nil {
		return settings.Usagef("--trust: in %s: %w", c.CacheDir, err)
	}
	return nil
}
