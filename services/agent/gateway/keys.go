package gateway

import (
	"context"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// Keys asks upstream which keys snapshots are signed by. What of that counts is
// for others to say.
func (u *Upstream) Keys(ctx context.Context) (keys config.Keys, err error) {
	err = u.try(ctx, func(c *pull.Client) error {
		keys, err = c.Keys(ctx)
		return err
	})
	return keys, err
}
