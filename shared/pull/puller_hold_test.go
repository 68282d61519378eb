package pull_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

func TestFirstPullIsNotHeldAndTheSecondFollowsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var waits []time.Duration
		var at []time.Duration
		p := &pull.Puller{
			Namespace: "payments", Interval: 15 * time.Second, Hold: func() bool { return true },
			Fetch: func(ctx context.Context, q pull.Request) (pull.Answer, error) {
				waits, at = append(waits, q.Wait), append(at, time.Since(began))
				select {
				case <-time.After(q.Wait):
					return pull.Answer{}, pull.ErrNotFound
				case <-ctx.Done():
					return pull.Answer{}, ctx.Err()
				}
			},
			Keep: func(context.Context, pull.Answer) error { return nil },
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		p.Run(ctx, nil)
		if len(waits) < 2 || waits[0] != 0 || waits[1] != 15*time.Second {
			t.Fatalf("waits %v: want one that is not held, then held ones", waits)
		}
		if at[1] > time.Second {
			t.Errorf("the second pull began after %v", at[1])
		}
	})
}

func TestSilentChangeToHoldingIsHeldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, waits := false, []time.Duration{}
		held := config.Seal("payments", config.Position{Epoch: "E", Revision: 1}, nil, nil)
		p := &pull.Puller{
			Namespace: "payments", Interval: time.Minute, Hold: func() bool { return hold },
			Fetch: func(ctx context.Context, q pull.Request) (pull.Answer, error) {
				waits = append(waits, q.Wait)
				hold = true // the bus goes down while the answer is under way
				select {
				case <-time.After(q.Wait):
					return pull.Answer{}, nil
				case <-ctx.Done():
					return pull.Answer{}, ctx.Err()
				}
			},
			Keep: func(context.Context, pull.Answer) error { return nil },
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		p.Run(ctx, held)
		if len(waits) != 2 || waits[1] != time.Minute {
			t.Errorf("waits %v: want a held request right after the one that was not", waits)
		}
	})
}
