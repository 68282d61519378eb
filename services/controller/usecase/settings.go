package usecase

import (
	"context"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Settings are what is set for each namespace. The errors wrap domain.ErrNotFound
// for a namespace that is not written, ErrUnavailable or ErrStorageFull.
type Settings interface {
	// Settings returns what is set for a namespace.
	Settings(ctx context.Context, namespace config.Name) (domain.Settings, error)
	// Amend hands what is set to amend and keeps what that returns, with the audit of
	// who did it. It returns amend's error as it is.
	Amend(ctx context.Context, namespace config.Name, by domain.Actor, amend func(now domain.Settings) (domain.Settings, error)) (domain.Settings, error)
}
