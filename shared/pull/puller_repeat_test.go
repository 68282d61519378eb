package pull

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// TestAnUpstreamThatLacksWhatWasToldIsAskedAgainSoon: a relay may be behind the
// news. What there never will be costs a few pulls, and then nothing.
func TestAnUpstreamThatLacksWhatWasToldIsAskedAgainSoon(t *testing.T) {
	at := func(revision config.Revision) *config.Snapshot {
		return config.Seal("payments", config.Position{Epoch: "01A", Revision: revision}, nil, nil)
	}
	for _, c := range []struct {
		told config.Revision
		most int // pulls in five minutes, of which five are the poll's
	}{{5, 14}, {1_000_000, 14}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var mu sync.Mutex
			var pulls int
			var had time.Duration
			p := &Puller{
				Namespace: "payments", Interval: time.Minute,
				Fetch: func(ctx context.Context, q Request) (Answer, error) {
					mu.Lock()
					pulls++
					mu.Unlock()
					sleep(ctx, q.Wait)
					if time.Since(began) > 20*time.Second && q.Have == at(4).ETag {
						return Answer{Snapshot: at(5)}, nil
					}
					return Answer{}, ctx.Err()
				},
				Keep: func(context.Context, Answer) error {
					mu.Lock()
					defer mu.Unlock()
					had = time.Since(began)
					return nil
				},
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { p.Run(ctx, at(4)) })
			time.Sleep(10 * time.Second)
			p.Nudge(Nudge{Position: config.Position{Epoch: "01A", Revision: c.told}})
			time.Sleep(5 * time.Minute)
			cancel()
			running.Wait()
			if had < 20*time.Second || had > 32*time.Second {
				t.Errorf("told of %d: had after %s", c.told, had)
			}
			if pulls > c.most {
				t.Errorf("told of %d: %d pulls", c.told, pulls)
			}
		})
	}
}
