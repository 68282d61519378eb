package bus

import (
	"context"
	"strings"

	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// maxLength is about how many entries a stream keeps: hints that are older than
// the newest thousand help nobody.
const maxLength = 1000

// stream carries messages over Redis Streams, a stream a topic, without consumer
// groups: each subscription reads every entry, and a Redis that forgot
// everything is read on.
type stream struct {
	*connection
	publisher *redisstream.Publisher
}

func newStream(c *connection) *stream {
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client:        lent{c.commands},
		Marshaller:    entry{},
		DefaultMaxlen: maxLength,
	}, newWatermillLog(c.logger))
	if err != nil {
		panic("bus: " + err.Error()) // only a missing client is an error
	}
	return &stream{connection: c, publisher: publisher}
}

// Publish adds an entry a message. A stream that was forged an entry with the
// last ID there is can take no other ever again: it is deleted, which the readers
// see as a flush, and begun anew.
func (s *stream) Publish(topic string, messages ...*message.Message) error {
	err := s.publisher.Publish(topic, messages...)
	if err == nil || !strings.Contains(err.Error(), "exhausted the last possible ID") {
		return err
	}
	s.logger.Warn("a forged entry has the last ID of all; its stream is deleted", "topic", topic)
	if err := s.commands.Del(messages[0].Context(), topic).Err(); err != nil {
		return err
	}
	return s.publisher.Publish(topic, messages...)
}

func (s *stream) subscriber(how subscription) message.Subscriber {
	return streamSubscriber{s, how}
}

func (*stream) keepsHistory() bool { return true }

// lent is a client that is not its user's to close: redisstream closes whatever
// client it was given.
type lent struct{ redis.UniversalClient }

// Close does nothing.
func (lent) Close() error { return nil }

// streamSubscriber is one subscription. It ends with its context.
type streamSubscriber struct {
	stream *stream
	how    subscription
}

// Subscribe reads from where the stream stands now, as Redis itself says, and
// from its beginning if it can't say: what is published from here on arrives
// even if Redis dies before the first message.
func (s streamSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	r := newReader(s.stream.connection, topic)
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:                        r,
		Unmarshaller:                  entry{},
		NackResendSleep:               s.stream.times.retryMax,
		BlockTime:                     s.stream.times.block,
		DisableIndefiniteInitialBlock: true,
		FanOutOldestId:                beginning.String(),
	}, newWatermillLog(s.stream.logger))
	if err != nil {
		return nil, err
	}
	recovered, stop := s.stream.health.turns(OK)
	told := r.begin(ctx, s.how.fromBeginning)
	if told {
		drain(recovered) // it was our own question that found Redis well
	}
	go func() {
		defer stop()
		defer r.close()
		if told || s.stream.health.current() == OK {
			s.how.connected()
		}
		r.keep(ctx, recovered, s.how.connected)
	}()
	return subscriber.Subscribe(ctx, topic)
}

// Close does nothing: the subscription ends with its context.
func (streamSubscriber) Close() error { return nil }
