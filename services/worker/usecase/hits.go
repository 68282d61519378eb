// Package usecase is what the reference worker does: it makes, for whoever asks,
// the request that its config describes. It knows neither HTTP nor where the
// config comes from.
package usecase

import (
	"context"

	"github.com/heraldconf/herald/services/worker/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Running is what the worker runs on.
type Running interface {
	// Current returns the target and its position, revision 0 before the first.
	Current() (domain.Target, config.Position)
}

// A Requester makes requests.
type Requester interface {
	// Request fails with domain.ErrTargetFailed or domain.ErrTargetTimeout, and
	// domain.ErrHostNotAllowed besides where that is why.
	Request(ctx context.Context, target domain.Target) (domain.Answer, error)
}

// Hits makes the request of the config.
type Hits struct {
	Running   Running
	Requester Requester
}

// Hit requests the target as it stands now, within the target's time. It returns
// the position that the target is of with the answer and with the Requester's
// errors; domain.ErrNoTarget comes alone.
func (h *Hits) Hit(ctx context.Context) (domain.Answer, config.Position, error) {
	target, at := h.Running.Current()
	if at.Revision == 0 {
		return domain.Answer{}, at, domain.ErrNoTarget
	}
	ctx, cancel := context.WithTimeout(ctx, target.Timeout)
	defer cancel()
	answer, err := h.Requester.Request(ctx, target)
	return answer, at, err
}
