package bus

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/eventstest"
)

// consume hands what a topic carries from its beginning to messages, until the
// test ends.
func consume(t *testing.T, b *Bus, topic string, messages chan<- Message) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var consumed sync.WaitGroup
	consumed.Go(func() {
		err := b.Consume(ctx, topic, true, func(m Message) error {
			messages <- m
			return nil
		})
		if err != nil {
			t.Errorf("consume: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); consumed.Wait() })
}

func TestConsumeShowsAMessageAsItStands(t *testing.T) {
	server := eventstest.Redis(t)
	b := openBus(t, server.URL()+"?prefix=herald.", quick)
	e := events.ConfigChanged{Namespace: "payments", Revision: 42}
	if err := b.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if server.Client().XLen(t.Context(), "herald.config-changed").Val() != 1 {
		t.Error("the prefix is not before the topic")
	}
	add(t, server.Client(), "herald.config-changed", "*", "payload", "{}", "meta:traceparent", "00-ab")
	messages := make(chan Message, 2)
	consume(t, b, "config-changed", messages)
	first, second := <-messages, <-messages
	if first.UUID != "payments@42" || first.Topic != "config-changed" ||
		first.Metadata["name"] != "ConfigChanged" || string(first.Payload) != string(events.Encode(e)) {
		t.Errorf("of our own: %+v", first)
	}
	if second.UUID == "" || second.Metadata["traceparent"] != "00-ab" || string(second.Payload) != "{}" {
		t.Errorf("of redis-cli: %+v", second)
	}
}

func TestConsumeEndsWithTheErrorOfWhoeverIsHandedTheMessages(t *testing.T) {
	server := eventstest.Redis(t)
	b := openBus(t, server.URL(), quick)
	addPayloads(t, server.Client(), topic, 3)
	enough, n := errors.New("enough"), 0
	err := b.Consume(t.Context(), topic, true, func(Message) error {
		if n++; n == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 2 {
		t.Errorf("%v after %d messages", err, n)
	}
}

func TestConsumeSaysThatNothingIsKept(t *testing.T) {
	server := eventstest.Redis(t)
	for url, want := range map[string]error{
		"memory://" + t.Name():            ErrNoHistory,
		"redis+pubsub://" + server.Addr(): ErrNoHistory,
		"none":                            ErrNone,
	} {
		err := openBus(t, url, quick).Consume(t.Context(), topic, true, func(Message) error { return nil })
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, not %v", url, err, want)
		}
	}
}
