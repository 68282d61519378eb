package usecase

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
)

// Who is expected each second is told of each second, by a ring that has 15 of its
// own: as long as it lives, and no longer.
func TestARingIsAsQuickAsItsQuickest(t *testing.T) {
	inRing(t, func(t *testing.T, r *Ring, above *fakeRegistry) {
		requests := func(while time.Duration) int {
			synctest.Wait()
			before := above.requests()
			time.Sleep(while)
			synctest.Wait()
			return above.requests() - before
		}
		join(t, r, "slow")
		above.set(func(f *fakeRegistry) { f.more = `,"poll_interval_seconds":1` })
		join(t, r, "quick")
		done := r.Asking("quick")
		r.Asking("slow")()
		if r.Every() != time.Second || r.Interval("quick") != time.Second || r.Interval("slow") != 15*time.Second || r.Interval("nobody") != 0 {
			t.Errorf("every %s, quick %s, slow %s", r.Every(), r.Interval("quick"), r.Interval("slow"))
		}
		if n := requests(30 * time.Second); n < 29 || n > 30 {
			t.Errorf("%d requests in 30 s", n)
		}
		// An operator makes it slower, and the other one quicker.
		above.set(func(f *fakeRegistry) {
			f.heard = domain.Heard{Agents: map[string]domain.Assignment{"quick": {Interval: 10}}}
		})
		time.Sleep(15 * time.Second)
		if n := requests(30 * time.Second); n < 3 || n > 4 {
			t.Errorf("set to 10 s, %d requests in 30 s", n)
		}
		above.set(func(f *fakeRegistry) {
			f.heard = domain.Heard{Agents: map[string]domain.Assignment{"quick": {Interval: 2}}}
		})
		time.Sleep(10 * time.Second) // until it is told
		if n := requests(30 * time.Second); n < 14 || n > 16 {
			t.Errorf("set to 2 s, %d requests in 30 s", n)
		}
		done() // and it dies
		time.Sleep(12 * time.Second)
		if n := requests(time.Minute); n > 1 || r.Every() != 15*time.Second {
			t.Errorf("with the quick one dead %d requests in a minute, every %s", n, r.Every())
		}
	})
}
