package eventstest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// A Recorder keeps what a topic carried. Its Handle and Connected are those of
// a route. It is safe for several goroutines.
type Recorder struct {
	mu          sync.Mutex
	payloads    []string
	seen        map[string]int
	connections int
	changed     chan struct{} // closed at each change, and made anew
}

// NewRecorder makes a Recorder that has heard nothing.
func NewRecorder() *Recorder {
	return &Recorder{seen: map[string]int{}, changed: make(chan struct{})}
}

// Handle keeps a payload.
func (r *Recorder) Handle(_ context.Context, payload []byte) {
	r.change(func() {
		r.payloads = append(r.payloads, string(payload))
		r.seen[string(payload)]++
	})
}

// Connected counts that a subscription is in place.
func (r *Recorder) Connected() { r.change(func() { r.connections++ }) }

func (r *Recorder) change(what func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what()
	close(r.changed)
	r.changed = make(chan struct{})
}

// Payloads is all that was heard, in order.
func (r *Recorder) Payloads() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.payloads...)
}

// Connections is how many times a subscription was in place.
func (r *Recorder) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connections
}

// Expect waits until each of the payloads was heard, in whatever order and among
// whatever else, and fails the test if one is missing.
func (r *Recorder) Expect(t testing.TB, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		if !r.await(func() bool { return r.seen[payload] > 0 }) {
			t.Fatalf("%.80q was not heard; heard were %.400q", payload, r.Payloads())
		}
	}
}

// ExpectCount waits until at least that many payloads were heard.
func (r *Recorder) ExpectCount(t testing.TB, n int) {
	t.Helper()
	if !r.await(func() bool { return len(r.payloads) >= n }) {
		t.Fatalf("heard %d payloads, not %d", len(r.Payloads()), n)
	}
}

// ExpectConnections waits until a subscription was in place at least that often.
func (r *Recorder) ExpectConnections(t testing.TB, n int) {
	t.Helper()
	if !r.await(func() bool { return r.connections >= n }) {
		t.Fatalf("connected %d times, not %d", r.Connections(), n)
	}
}

// await waits until what holds, which is asked with the lock held.
func (r *Recorder) await(holds func() bool) bool {
	late := time.After(patience)
	for {
		r.mu.Lock()
		ok, changed := holds(), r.changed
		r.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-late:
			return false
		}
	}
}
