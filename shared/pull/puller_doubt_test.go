package pull

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// One that failed is asked without a wait: were it held, nobody could tell whether
// it holds or hangs.
func TestAPullAfterAFailureIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(1)
		p, _ := run(t, u, func(p *Puller) { p.Hold = func() bool { return true } })
		time.Sleep(20 * time.Second)
		u.fail(errors.New("connection refused"))
		time.Sleep(time.Minute)
		asks := u.asks()
		if last := asks[len(asks)-1]; last.q.Wait != 0 {
			t.Errorf("asked to be held %s after a failure", last.q.Wait)
		}
		u.fail(nil)
		p.Nudge(Nudge{})
		time.Sleep(time.Minute)
		if asks := u.asks(); asks[len(asks)-1].q.Wait == 0 {
			t.Error("not held, though it answers again")
		}
	})
}

// A shelfOf has one snapshot, and counts who asks for it.
type shelfOf struct {
	snapshot *config.Snapshot
	asked    atomic.Int32
}

func (s *shelfOf) Latest(context.Context, config.Name) (*config.Snapshot, <-chan struct{}, error) {
	s.asked.Add(1)
	return s.snapshot, nil, nil
}

func (s *shelfOf) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r.SetPathValue("ns", "payments")
	err := NewHandler(s).ServeSnapshot(w, r)
	return w.Result(), err
}

// A body that came with the ETag of another one is "unchanged" for ever after: the
// revision beside it gives it away, and the next request is for the whole.
func TestAnETagThatLiedIsFoundOut(t *testing.T) {
	for name, held := range map[string]*config.Snapshot{
		"revision": snapshotAt(1),
		"epoch":    config.Seal("payments", config.Position{Epoch: "019", Revision: 2}, nil, nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				upstream := &shelfOf{snapshot: snapshotAt(2)}
				held.ETag = upstream.snapshot.ETag
				client := &Client{Base: "http://upstream", HTTP: &http.Client{Transport: upstream}}
				var kept []*config.Snapshot
				p := &Puller{Namespace: "payments", Fetch: client.Fetch, Keep: func(_ context.Context, a Answer) error {
					kept = append(kept, a.Snapshot)
					return nil
				}}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				p.Run(ctx, held)
				if len(kept) != 1 || kept[0].Digest != upstream.snapshot.Digest || upstream.asked.Load() > 3 {
					t.Errorf("kept %v after %d requests", kept, upstream.asked.Load())
				}
			})
		})
	}
}
