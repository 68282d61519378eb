package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// batch is how many entries are read at once: redisstream asks for one at a
// time, and a round trip for each would fall behind a burst until it is trimmed.
const batch = 100

// A reader is the client that one subscription of redisstream reads with. It
// answers XREAD itself, since only here it is known which entry came last: so it
// can go on from there over a new connection, go back to the beginning of a
// stream that was made anew, and wait out an outage without an error.
type reader struct {
	redis.UniversalClient // for all but XRead and Close

	from  *connection
	topic string
	wake  chan struct{} // ends the pause after a failure

	mu     sync.Mutex
	client *redis.Client // the connection that is read from
	last   position      // of the newest entry that was read
	ahead  []redis.XMessage
	closed bool
}

func newReader(from *connection, topic string) *reader {
	return &reader{
		UniversalClient: from.commands, from: from, topic: topic,
		wake: make(chan struct{}, 1), client: from.client(-1),
	}
}

// begin finds the place to read from, and says whether Redis could tell. If it
// could not, the beginning is as good: readers know what they have.
func (r *reader) begin(ctx context.Context, fromBeginning bool) bool {
	last, err := r.ask(ctx)
	if !fromBeginning && err == nil {
		r.last = last
	}
	return err == nil
}

func (r *reader) ask(ctx context.Context) (position, error) {
	ctx, cancel := context.WithTimeout(ctx, r.from.times.answer)
	defer cancel()
	return lastOf(ctx, r.from.commands, r.topic)
}

// keep looks after the reading until ctx ends. After an outage it reads over a
// new connection, since the old one may be dead without a word. A stream that
// is behind where we read was made anew, by a flush or an empty restart, and its
// entries would not be seen until their IDs passed ours: if somebody forged one,
// never. Each is followed by connected.
func (r *reader) keep(ctx context.Context, recovered <-chan struct{}, connected func()) {
	check := time.NewTicker(r.from.times.check)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-recovered:
			r.renew(r.wentBack(ctx))
			connected()
		case <-check.C:
			if r.wentBack(ctx) {
				r.renew(true)
				connected()
			}
		}
	}
}

// wentBack takes our own position first: entries that come in between make the
// stream newer, never older.
func (r *reader) wentBack(ctx context.Context) bool {
	r.mu.Lock()
	ours := r.last
	r.mu.Unlock()
	theirs, err := r.ask(ctx)
	return err == nil && theirs.before(ours)
}

// renew reads on over a new connection, from the beginning if that is asked.
func (r *reader) renew(fromBeginning bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	_ = r.client.Close()
	r.client = r.from.client(-1)
	if fromBeginning {
		r.last, r.ahead = beginning, nil
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	_ = r.client.Close()
}

// Close does nothing: the connection ends with the subscription's context.
func (r *reader) Close() error { return nil }

// XRead answers with the next entry, whatever place it is asked for, or with
// nothing once ctx ends. It fails never: redisstream would log each failure.
func (r *reader) XRead(ctx context.Context, _ *redis.XReadArgs) *redis.XStreamSliceCmd {
	cmd := redis.NewXStreamSliceCmd(ctx)
	for failures := 0; ctx.Err() == nil; {
		client, last, next := r.take()
		if next != nil {
			cmd.SetVal([]redis.XStream{{Stream: r.topic, Messages: []redis.XMessage{*next}}})
			return cmd
		}
		if r.fetch(ctx, client, last) {
			failures = 0
			continue
		}
		pause(ctx, r.from.times.backoff(failures), r.wake)
		failures++
	}
	cmd.SetErr(redis.Nil)
	return cmd
}

// take takes the next entry of those that were read ahead; if there is none, it
// says where to read.
func (r *reader) take() (client *redis.Client, last position, next *redis.XMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ahead) > 0 {
		next, r.ahead = &r.ahead[0], r.ahead[1:]
	}
	return r.client, r.last, next
}

// fetch reads ahead, and says whether that was possible.
func (r *reader) fetch(ctx context.Context, client *redis.Client, last position) bool {
	streams, err := client.XRead(ctx, &redis.XReadArgs{
		Streams: []string{r.topic, last.String()}, Count: batch, Block: r.from.times.block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return true
	}
	if err == nil && len(streams) == 1 {
		return r.keepAhead(client, streams[0].Messages)
	}
	if isReply(err) && r.from.seldom.may(r.topic) {
		r.from.logger.Warn("a topic can't be read", "topic", r.topic, "error", err)
	}
	return r.stale(client)
}

// keepAhead keeps what was read, unless the reading was renewed meanwhile: then
// the same entries are read again.
func (r *reader) keepAhead(client *redis.Client, entries []redis.XMessage) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if client != r.client || len(entries) == 0 {
		return true
	}
	last, err := parsePosition(entries[len(entries)-1].ID)
	if err != nil {
		return false
	}
	r.last, r.ahead = last, entries
	return true
}

// stale says whether a failure is of a connection that was given up anyway.
func (r *reader) stale(client *redis.Client) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return client != r.client
}
