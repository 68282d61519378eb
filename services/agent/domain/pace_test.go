package domain_test

import (
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
)

// A second of one who always has something to say.
func TestPaceHoldsRequestsApart(t *testing.T) {
	for _, c := range []struct {
		many        int
		burst, sent int // at once, and within a second
	}{
		{many: 0, burst: 1000, sent: 1000},
		{many: 1, burst: 4, sent: 1003}, // each is for somebody who may wait for it
		{many: 50, burst: 4, sent: 23},
		{many: 100, burst: 4, sent: 13},
		{many: 3000, burst: 4, sent: 6}, // after 200, 400 ms more
	} {
		began := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
		var p domain.Pace
		now, burst, sent := began, 0, 0
		for ; now.Sub(began) < time.Second && sent < 2000; now = p.Next(now) {
			if p = p.Sent(now, c.many); now.Equal(began) {
				burst++
			}
			if sent++; c.many == 0 && sent == 1000 {
				break
			}
		}
		if burst != c.burst || sent != c.sent {
			t.Errorf("who reports of %d sends %d at once and %d in a second, want %d and %d", c.many, burst, sent, c.burst, c.sent)
		}
		for range 10 {
			at := p.Next(now)
			if p = p.Sent(at, c.many); c.many > 0 && at.Sub(now) > 2*time.Second {
				t.Errorf("who reports of %d waits for %s", c.many, at.Sub(now))
			}
			now = at
		}
		rested := now.Add(time.Minute)
		if p.Next(rested) != rested {
			t.Errorf("who reports of %d waits after a minute of rest", c.many)
		}
	}
}
