package usecase_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/worker/domain"
	"github.com/heraldconf/herald/services/worker/usecase"
	"github.com/heraldconf/herald/shared/config"
)

type running struct {
	target domain.Target
	at     config.Position
}

func (r running) Current() (domain.Target, config.Position) { return r.target, r.at }

// A slow target answers after a while.
type slow time.Duration

func (s slow) Request(ctx context.Context, _ domain.Target) (domain.Answer, error) {
	select {
	case <-time.After(time.Duration(s)):
		return domain.Answer{Status: 200}, nil
	case <-ctx.Done():
		return domain.Answer{}, domain.ErrTargetTimeout
	}
}

func TestHitBeforeTheFirstConfig(t *testing.T) {
	hits := &usecase.Hits{Running: running{}, Requester: slow(0)}
	if _, at, err := hits.Hit(t.Context()); !errors.Is(err, domain.ErrNoTarget) || at.Revision != 0 {
		t.Errorf("%v at %+v", err, at)
	}
}

func TestHitTakesTheTimeOfItsTarget(t *testing.T) {
	at := config.Position{Epoch: "E1", Revision: 7}
	for _, c := range []struct {
		takes, may time.Duration
		want       error
	}{
		{time.Second, 2 * time.Second, nil},
		{3 * time.Second, 2 * time.Second, domain.ErrTargetTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			hits := &usecase.Hits{Running: running{domain.Target{Timeout: c.may}, at}, Requester: slow(c.takes)}
			answer, got, err := hits.Hit(t.Context())
			if !errors.Is(err, c.want) || got != at || err == nil && answer.Status != 200 {
				t.Errorf("%+v at %+v: %v", answer, got, err)
			}
			if took := time.Since(began); took != min(c.takes, c.may) {
				t.Errorf("took %v", took)
			}
		})
	}
}
