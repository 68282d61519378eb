package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// pubsub carries messages over Redis Pub/Sub: the payload alone, on a channel of
// the topic's name. It is quicker than streams for a large fleet, and loses what
// is published while a subscription is away.
type pubsub struct{ *connection }

func newPubSub(c *connection) *pubsub { return &pubsub{c} }

// Publish sends each payload to whoever is subscribed.
func (p *pubsub) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		if err := p.commands.Publish(msg.Context(), topic, []byte(msg.Payload)).Err(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pubsub) subscriber(how subscription) message.Subscriber {
	return pubsubSubscriber{p, how}
}

func (*pubsub) keepsHistory() bool { return false }

// errRecovered ends a subscription that an outage may have cut without a word.
var errRecovered = errors.New("redis is back")

// pubsubSubscriber is one subscription. It ends with its context.
type pubsubSubscriber struct {
	pubsub *pubsub
	how    subscription
}

// Subscribe returns at once; connected tells when Redis has confirmed.
func (s pubsubSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		client := s.pubsub.client(-1)
		defer func() { _ = client.Close() }()
		recovered, stop := s.pubsub.health.turns(OK)
		defer stop()
		for failures := 0; ctx.Err() == nil; {
			confirmed, err := s.listen(ctx, client, topic, out, recovered)
			if ctx.Err() != nil {
				return
			}
			if errors.Is(err, errRecovered) {
				continue
			}
			s.pubsub.health.observe(err)
			if confirmed {
				failures = 0
			}
			pause(ctx, s.pubsub.times.backoff(failures), recovered)
			failures++
		}
	}()
	return out, nil
}

// Close does nothing: the subscription ends with its context.
func (pubsubSubscriber) Close() error { return nil }

// listen subscribes once and hands on what comes, until the connection fails,
// or Redis came back from an outage that may have cut this connection too. It
// says whether Redis confirmed the subscription.
func (s pubsubSubscriber) listen(
	ctx context.Context, client *redis.Client, topic string, out chan<- *message.Message, recovered <-chan struct{},
) (confirmed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ps := client.Subscribe(ctx)
	context.AfterFunc(ctx, func() { _ = ps.Close() })
	if err := s.confirm(ctx, ps, topic); err != nil {
		return false, err
	}
	drain(recovered) // it was this very subscription that found Redis well
	go func() {
		select {
		case <-recovered:
			cancel(errRecovered)
		case <-ctx.Done():
		}
	}()
	s.how.connected()
	err = s.receive(ctx, ps, out)
	return true, cmp.Or(context.Cause(ctx), err)
}

func (s pubsubSubscriber) confirm(ctx context.Context, ps *redis.PubSub, topic string) error {
	if err := ps.Subscribe(ctx, topic); err != nil {
		return err
	}
	answer, err := ps.ReceiveTimeout(ctx, s.pubsub.times.answer)
	if err != nil {
		return err
	}
	if _, ok := answer.(*redis.Subscription); !ok {
		return fmt.Errorf("subscribe: unexpected answer %T", answer)
	}
	s.pubsub.health.observe(nil)
	return nil
}

// receive hands on messages. If none comes for a while it pings, and whatever
// comes then will do: a silent connection may be a dead one.
func (s pubsubSubscriber) receive(ctx context.Context, ps *redis.PubSub, out chan<- *message.Message) error {
	for pinged := false; ; {
		wait := s.pubsub.times.probe
		if pinged {
			wait = s.pubsub.times.answer
		}
		answer, err := ps.ReceiveTimeout(ctx, wait)
		switch {
		case err == nil:
			pinged = false
		case isTimeout(err) && !pinged:
			pinged, err = true, ps.Ping(ctx)
		}
		if err != nil {
			return err
		}
		if got, ok := answer.(*redis.Message); ok {
			s.deliver(ctx, got.Payload, out)
		}
	}
}

// deliver hands on one payload until it is acknowledged.
func (s pubsubSubscriber) deliver(ctx context.Context, payload string, out chan<- *message.Message) {
	uuid := watermill.NewUUID()
	for ctx.Err() == nil {
		msg := message.NewMessage(uuid, []byte(payload))
		msg.SetContext(ctx)
		select {
		case out <- msg:
		case <-ctx.Done():
			return
		}
		select {
		case <-msg.Acked():
			return
		case <-msg.Nacked():
			pause(ctx, time.Second, nil)
		case <-ctx.Done():
			return
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}
