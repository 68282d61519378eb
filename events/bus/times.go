package bus

import (
	"context"
	"math/rand/v2"
	"time"
)

// times are the durations by which a bus lives.
type times struct {
	publish time.Duration // a publication takes at most this long
	answer  time.Duration // a command that Redis answers at once
	probe   time.Duration // between two pings while all is well
	check   time.Duration // between two looks at where a stream stands
	block   time.Duration // a read waits this long on the server
	retry   time.Duration // first pause after a failure, doubled up to retryMax
	// retryMax bounds how long after its recovery the bus is noticed.
	retryMax time.Duration
}

var defaultTimes = times{
	publish:  3 * time.Second,
	answer:   2 * time.Second,
	probe:    5 * time.Second,
	check:    time.Minute,
	block:    10 * time.Second,
	retry:    500 * time.Millisecond,
	retryMax: 2 * time.Second,
}

// backoff is how long to wait after that many failures in a row: doubled each
// time, of which a random half, so that a fleet does not come back at once.
func (t times) backoff(failures int) time.Duration {
	full := t.retryMax
	if failures < 16 {
		full = min(t.retry<<failures, t.retryMax)
	}
	return full/2 + rand.N(full/2+1)
}

// pause waits. The end of ctx, or what comes on early, ends it.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
	}
}
