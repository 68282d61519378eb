package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

const (
	// introduction is how long the first verdict waits for the agent's ID.
	introduction = 5 * time.Second
	// reportTimeout bounds one report by HTTP.
	reportTimeout = 10 * time.Second
)

// A teller tells the newest verdict: at once over the Link, else by HTTP; again
// until it is heard; and again by HTTP about every poll interval, as a sign of
// life. Older verdicts are forgotten: only the latest counts.
type teller struct {
	about
	fresh chan struct{} // a verdict that was not told yet
	met   chan struct{} // closed with the agent's first answer

	mu       sync.Mutex
	verdict  config.Verdict // revision 0 for none
	agent    string
	told     time.Duration // the poll interval that the agent told
	greeting sync.Once
}

func newTeller(a about) *teller {
	return &teller{about: a, fresh: make(chan struct{}, 1), met: make(chan struct{})}
}

// tell takes a verdict over. It returns at once.
func (t *teller) tell(v config.Verdict) {
	t.mu.Lock()
	t.verdict = v
	t.mu.Unlock()
	select {
	case t.fresh <- struct{}{}:
	default: // one is waiting there, and will find this one
	}
}

// reached notes that the agent answered, who it is, and what interval it told.
func (t *teller) reached(agent string, interval time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if agent != "" {
		t.agent = agent
	}
	if interval > 0 {
		t.told = interval
	}
	t.greeting.Do(func() { close(t.met) })
}

// latest is the verdict to tell, as of the agent that is asked now.
func (t *teller) latest() (v config.Verdict, interval time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, interval = t.verdict, t.told
	v.Agent = t.agent
	if t.interval > 0 {
		interval = t.interval
	}
	if interval <= 0 {
		interval = pull.DefaultInterval
	}
	return v, interval
}

// run tells until ctx ends. What is not heard by then the next start tells anew.
func (t *teller) run(ctx context.Context) {
	pause(ctx, introduction, t.met)
	failures, next := 0, pull.DefaultInterval
	for {
		fresh := pause(ctx, next, t.fresh)
		if ctx.Err() != nil {
			return
		}
		v, interval := t.latest()
		if v.Revision == 0 {
			next = interval
			continue
		}
		err := t.say(ctx, v, fresh)
		if err == nil {
			failures, next = 0, jitter(interval)
			continue
		}
		if failures == 0 && ctx.Err() == nil {
			t.logger.Warn("verdict not heard; telling it again", "revision", v.Revision, "error", err)
		}
		next = pull.Backoff(failures, interval)
		if refusal, ok := errors.AsType[*pull.Refusal](err); ok {
			next = max(next, refusal.RetryAfter)
		}
		failures++
	}
}

// say tells a verdict. The Link is fast, but nobody says whether what it carries
// arrives: so what is told again goes by HTTP, and over the Link only where the
// agent is away.
func (t *teller) say(ctx context.Context, v config.Verdict, fresh bool) error {
	if fresh && t.pass(ctx, v) {
		return nil
	}
	err := t.report(ctx, v)
	if err == nil || !fresh && t.pass(ctx, v) {
		return nil
	}
	return err
}

// pass tells a verdict over the Link, and says whether that took it.
func (t *teller) pass(ctx context.Context, v config.Verdict) bool {
	if t.link == nil || !t.link.Healthy() {
		return false
	}
	if err := t.link.Tell(ctx, v); err != nil {
		t.logger.Debug("verdict not passed on", "revision", v.Revision, "error", err)
		return false
	}
	return true
}

// report tells a verdict by HTTP. It fails with a *pull.Refusal, or with the
// transport's error.
func (t *teller) report(ctx context.Context, v config.Verdict) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	body, err := json.Marshal(config.Reports{Applied: []config.Verdict{v}})
	if err != nil {
		return fmt.Errorf("encode the verdict: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(t.client.Base, "/")+"/v1/reports", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if t.client.Token != "" {
		request.Header.Set("Authorization", "Bearer "+t.client.Token)
	}
	response, err := t.client.HTTP.Do(request)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return pull.NewRefusal(response)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 16<<10)) // so that the connection serves again
	return nil
}

// pause waits for a while, and returns true if early came first.
func pause(ctx context.Context, while time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(while)
	defer timer.Stop()
	select {
	case <-early:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// jitter is the interval ±20 %, so that a fleet does not report at once.
func jitter(interval time.Duration) time.Duration {
	return interval - interval/5 + rand.N(max(interval*2/5, 1)) //nolint:gosec // spreading load is no secret
}
