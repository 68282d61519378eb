package agent_test

import (
	"crypto/ed25519"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// kills is how often the agent is killed.
const kills = 20

// A witness remembers the newest that an agent said it had, to a client or to its
// controller.
type witness struct {
	mu     sync.Mutex
	newest config.Position
}

func (w *witness) see(at config.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at.Compare(w.newest) > 0 {
		w.newest = at
	}
}

func (w *witness) seen() config.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

// hear takes what the agent reports until the test ends.
func (w *witness) hear(t *testing.T, c *controller) {
	done := make(chan struct{})
	var hearing sync.WaitGroup
	t.Cleanup(func() { close(done); hearing.Wait() })
	hearing.Go(func() {
		for {
			select {
			case reports := <-c.reports:
				for _, f := range reports.Fetched {
					w.see(config.Position{Epoch: f.Epoch, Revision: f.Revision})
				}
			case <-done:
				return
			}
		}
	})
}

// commitOn commits one revision after the other until the test ends.
func commitOn(t *testing.T, c *controller) {
	done := make(chan struct{})
	var writing sync.WaitGroup
	t.Cleanup(func() { close(done); writing.Wait() })
	writing.Go(func() {
		for revision := config.Revision(1); ; revision++ {
			c.put("payments", revision, `"`+strings.Repeat("a", rand.IntN(200_000))+`"`)
			select {
			case <-time.After(2 * time.Millisecond):
			case <-done:
				return
			}
		}
	})
}

// served returns the position of what an agent serves, once that is verified, and
// false where it serves nothing.
func served(t *testing.T, address string) (config.Position, bool) {
	t.Helper()
	h, body := peek(address)
	if body == "" {
		return config.Position{}, false
	}
	s, err := config.Open([]byte(body))
	if err == nil {
		s.Signature, err = config.ParseSignature(h.Get("Herald-Signature"))
	}
	if err == nil {
		err = s.Verify(config.Keys{config.NewKey(keyOf(1).Public().(ed25519.PublicKey), time.Now())})
	}
	if err != nil {
		t.Fatalf("serves what does not verify: %v", err)
	}
	return s.Position, true
}

// TestOutageByKillsWhileItSaves kills a real agent at any moment while one revision
// after the other comes, and starts it anew with its upstream dead: it serves a whole
// one, no older than what it said that it had before it was killed.
func TestOutageByKillsWhileItSaves(t *testing.T) {
	program, cache := build(t), t.TempDir()
	u := newTurning(t)
	u.key = keyOf(1)
	var said witness
	said.hear(t, u.controller)
	commitOn(t, u.controller)
	way := newGate(t, u.front.URL)

	agent := startAgent(t, program, way.URL, cache)
	revisions := 0
	for round := range kills {
		before := said.seen()
		await(t, "something newer", func() bool { at, ok := served(t, agent.address); return ok && at.Compare(before) > 0 })
		for end := time.Now().Add(rand.N(100 * time.Millisecond)); time.Now().Before(end); {
			if at, ok := served(t, agent.address); ok {
				said.see(at)
			}
		}
		agent.kill()
		way.close()
		newest := said.seen()
		agent = startAgent(t, program, way.URL, cache)
		var at config.Position
		await(t, "it serves, with nothing above it", func() (ok bool) { at, ok = served(t, agent.address); return ok })
		if at.Compare(newest) < 0 {
			t.Fatalf("kill %d: serves %v after it said %v", round+1, at, newest)
		}
		revisions = int(at.Revision)
		way.open()
	}
	agent.kill()
	t.Logf("%d kills within %d revisions: none served an older one, or none", kills, revisions)
	http.DefaultClient.CloseIdleConnections()
}
