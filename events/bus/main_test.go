package bus

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/heraldconf/herald/events/eventstest"
)

// A pool of go-redis that could not dial many times tries on once a second, and
// sees only then that it was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// quick is for tests: a bus that notices soon. It looks at where its streams
// stand only when a test asks for that.
var quick = times{
	publish: time.Second, answer: 300 * time.Millisecond, probe: 100 * time.Millisecond,
	check: time.Hour, block: 5 * time.Second, retry: 20 * time.Millisecond, retryMax: 100 * time.Millisecond,
}

// openBus opens a bus that is closed with the test.
func openBus(t *testing.T, url string, with times) *Bus {
	t.Helper()
	return openLogged(t, url, with, slog.New(slog.DiscardHandler))
}

func openLogged(t *testing.T, url string, with times, logger *slog.Logger) *Bus {
	t.Helper()
	b, err := open(url, logger, with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// serve serves the routes until the test ends.
func serve(t *testing.T, b *Bus, routes ...Route) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		if err := b.Serve(ctx, routes...); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); served.Wait() })
}

// hear records a topic until the test ends.
func hear(t *testing.T, b *Bus, topic string) *eventstest.Recorder {
	t.Helper()
	r := eventstest.NewRecorder()
	serve(t, b, Route{Name: topic, Topic: topic, Handle: r.Handle, Connected: r.Connected})
	return r
}

// hearConnected records a topic, once the subscription is in place.
func hearConnected(t *testing.T, b *Bus, topic string) *eventstest.Recorder {
	t.Helper()
	r := hear(t, b, topic)
	r.ExpectConnections(t, 1)
	return r
}

// add adds an entry as redis-cli would.
func add(t *testing.T, client *redis.Client, topic, id string, fields ...any) {
	t.Helper()
	if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: topic, ID: id, Values: fields}).Err(); err != nil {
		t.Fatal(err)
	}
}

func addPayloads(t *testing.T, client *redis.Client, topic string, n int) (payloads []string) {
	t.Helper()
	for i := range n {
		payloads = append(payloads, fmt.Sprintf("payload %d", i))
		add(t, client, topic, "*", "payload", payloads[i])
	}
	return payloads
}

// states records the changes of a bus's state.
type states struct {
	told chan State
	seen []State
}

func statesOf(b *Bus) *states {
	s := &states{told: make(chan State, 100)}
	b.OnState(func(state State) { s.told <- state })
	return s
}

// expect waits until the bus tells that state. It waits less than a read that
// blocks takes to time out: the bus must have asked.
func (s *states) expect(t *testing.T, want State) {
	t.Helper()
	late := time.After(5 * time.Second)
	for {
		select {
		case got := <-s.told:
			s.seen = append(s.seen, got)
			if got == want {
				return
			}
		case <-late:
			t.Fatalf("the bus never told that it is %s, but %v", want, s.seen)
		}
	}
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	all  []string
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(line), nil
}

// expect waits until a line with that text was logged.
func (l *lines) expect(t *testing.T, text string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for len(l.with(text)) == 0 {
		select {
		case <-l.more:
		case <-late:
			t.Fatalf("%q was not logged, but %q", text, l.with(""))
		}
	}
}

func (l *lines) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}

func (l *lines) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.all), func(line string) bool { return !strings.Contains(line, text) })
}
