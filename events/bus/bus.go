// Package bus carries the facts of package events between processes: over Redis
// Streams, over Redis Pub/Sub, or in memory. It is the only place that knows
// Watermill's transports, their traps and how each is avoided. It does not know
// what a fact means: a payload is bytes here.
//
// What it promises is little, since every reader pulls anyway: what is published
// while a subscription is in place arrives at least once, seldom out of order.
// Whenever something may have been missed, Route.Connected is called.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/heraldconf/herald/events"
)

// What using a Bus can come to.
var (
	// ErrNone is returned where no bus is configured.
	ErrNone = errors.New("no bus is configured")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the bus is closed")
	// ErrNoHistory is returned by Consume if it is to begin with what was
	// published before, on a bus that keeps nothing.
	ErrNoHistory = errors.New("this bus keeps nothing of what passed; only redis:// streams do")
)

// A Bus publishes and subscribes. It is safe for several goroutines.
type Bus struct {
	transport transport // nil: there is no bus
	prefix    string
	health    *health
	times     times
	logger    *slog.Logger
	life      context.Context
	end       context.CancelFunc
}

// A transport is one way to carry messages.
type transport interface {
	// Publish is bounded by the context of each message.
	message.Publisher
	// subscriber makes the Subscriber of one subscription, which ends with the
	// context that it is subscribed with.
	subscriber(how subscription) message.Subscriber
	// ping says whether messages can pass just now.
	ping(context.Context) error
	// keepsHistory says whether a subscription can begin with older messages.
	keepsHistory() bool
}

// A subscription says how to subscribe.
type subscription struct {
	fromBeginning bool   // begin with the oldest message that is kept, not with the next
	connected     func() // called each time the subscription is in place, anew or again
}

// Open makes the Bus that rawURL names: redis://, rediss:// (streams),
// redis+pubsub://, rediss+pubsub://, memory://NAME, or none, which "" is too.
// It reads the URL alone: a Redis that is away is waited for behind.
func Open(rawURL string, logger *slog.Logger) (*Bus, error) {
	return open(rawURL, logger, defaultTimes)
}

func open(rawURL string, logger *slog.Logger, times times) (*Bus, error) {
	to, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	b := &Bus{prefix: to.prefix, times: times, logger: logger, health: newHealth(to.initial(), logger)}
	b.life, b.end = context.WithCancel(context.Background())
	switch to.kind {
	case kindMemory:
		b.transport = openMemory(to.name, logger)
	case kindStream:
		b.transport = newStream(b.connect(to))
	case kindPubSub:
		b.transport = newPubSub(b.connect(to))
	}
	return b, nil
}

func (b *Bus) connect(to target) *connection {
	return connect(b.life, to.redis, b.health, b.times, b.logger)
}

// State is how the bus is just now, without asking it.
func (b *Bus) State() State { return b.health.current() }

// OnState has f called on each change of State, in order, and at once if there
// was one already. f must not block.
func (b *Bus) OnState(f func(State)) { b.health.onChange(f) }

// Ping asks the bus whether messages can pass, for two seconds at most. It is
// ErrNone where there is no bus.
func (b *Bus) Ping(ctx context.Context) error {
	if b.transport == nil {
		return ErrNone
	}
	if b.life.Err() != nil {
		return ErrClosed
	}
	return b.transport.ping(ctx)
}

// Publish tells a fact. It takes a few seconds at most, and goes on if ctx ends:
// a request that is over does not take back what it did. It returns ErrNone,
// ErrClosed, or why the bus could not take it.
func (b *Bus) Publish(ctx context.Context, e events.Event) error {
	msg := message.NewMessage(e.ID(), events.Encode(e))
	msg.Metadata.Set("name", nameOf(e))
	return b.send(ctx, e.Topic(), msg)
}

// Produce publishes bytes as they are, for scripts. It is bounded and fails as
// Publish does.
func (b *Bus) Produce(ctx context.Context, topic string, payload []byte) error {
	return b.send(ctx, topic, message.NewMessage(watermill.NewUUID(), payload))
}

func (b *Bus) send(ctx context.Context, topic string, msg *message.Message) error {
	if b.transport == nil {
		return ErrNone
	}
	if b.life.Err() != nil {
		return ErrClosed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.times.publish)
	defer cancel()
	msg.SetContext(ctx)
	if err := b.transport.Publish(b.prefix+topic, msg); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// Close ends every Serve and Consume, and the connections.
func (b *Bus) Close() error {
	b.end()
	if b.transport == nil {
		return nil
	}
	return b.transport.Close()
}

// nameOf is the name of the event's type: ConfigChanged.
func nameOf(e events.Event) string {
	name := fmt.Sprintf("%T", e)
	return name[strings.LastIndexByte(name, '.')+1:]
}
