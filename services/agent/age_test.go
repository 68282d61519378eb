package agent_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent"
)

// A clocked controller notes when it answered last, and holds nothing.
type clocked struct {
	mu   sync.Mutex
	last time.Time
}

func (c *clocked) stand(before *controller) {
	former := before.Config.Handler
	before.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Prefer")
		former.ServeHTTP(w, r)
		if r.URL.Path == snapshotPath {
			c.mu.Lock()
			c.last = time.Now()
			c.mu.Unlock()
		}
	})
}

func (c *clocked) answered() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// TestAgeAddsUpOverHops: through two agents, one above the other, a client is never
// told a body is younger than it is, and not told that it is much older either.
func TestAgeAddsUpOverHops(t *testing.T) {
	c := newController(t)
	var clock clocked
	clock.stand(c)
	c.put("payments", 1, `{}`)
	way := newGate(t, c.URL)
	const slow, quick = 1700 * time.Millisecond, 300 * time.Millisecond
	first, stop := run(t, agent.Config{Upstream: []string{way.URL}, ID: "first", PollInterval: slow})
	second, _ := run(t, agent.Config{Upstream: []string{first}, ID: "second", PollInterval: quick})
	get(t, second+snapshotPath)

	// sample returns the age that is told, having held it to the age that it has.
	sample := func(most time.Duration) (said time.Duration) {
		t.Helper()
		asked := time.Now()
		answer, _ := get(t, second+snapshotPath)
		seconds, err := strconv.Atoi(answer.Header.Get("Age"))
		if err != nil {
			t.Fatalf("Age: %v", err)
		}
		said = time.Duration(seconds) * time.Second
		if least := asked.Sub(clock.answered()).Truncate(time.Second); said < least {
			t.Errorf("Age %s of a body that was confirmed %s before", said, asked.Sub(clock.answered()))
		}
		if is := time.Since(clock.answered()); most > 0 && said > is+most {
			t.Errorf("Age %s of a body that was confirmed %s before", said, is)
		}
		return said
	}
	for began := time.Now(); time.Since(began) < 2*slow; time.Sleep(50 * time.Millisecond) {
		sample(0)
	}
	way.close()
	await(t, "stale, and three seconds old", func() bool {
		answer, _ := get(t, second+snapshotPath)
		return answer.Header.Get("Herald-Stale") == "true" && sample(2*time.Second) >= 3*time.Second
	})
	// The agent between dies too: what it had confirmed goes on to grow old.
	stop()
	before := sample(2 * time.Second)
	await(t, "older", func() bool { return sample(2*time.Second) >= before+2*time.Second })
}
