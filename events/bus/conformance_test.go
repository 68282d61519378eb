package bus_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/events/eventstest"
)

// end is a bus as the suite sees it.
func end(url string) func(testing.TB) eventstest.End {
	return func(t testing.TB) eventstest.End {
		b, err := bus.Open(url, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return eventstest.End{
			Publish: func(topic string, payload []byte) error {
				return b.Produce(t.Context(), topic, payload)
			},
			Serve: func(ctx context.Context, topic string, r *eventstest.Recorder) error {
				return b.Serve(ctx, bus.Route{Name: topic, Topic: topic, Handle: r.Handle, Connected: r.Connected})
			},
			Close: b.Close,
		}
	}
}

func TestStreamsConform(t *testing.T) {
	server := eventstest.Redis(t)
	eventstest.Conformance(t, eventstest.Subject{
		Open:      end(server.URL() + "?prefix=herald."),
		Interrupt: func(testing.TB) { server.Kill(); server.Start() },
	})
}

func TestPubSubConforms(t *testing.T) {
	server := eventstest.Redis(t)
	eventstest.Conformance(t, eventstest.Subject{
		Open:      end("redis+pubsub://" + server.Addr() + "?prefix=herald."),
		Interrupt: func(testing.TB) { server.Kill(); server.Start() },
	})
}

func TestMemoryConforms(t *testing.T) {
	eventstest.Conformance(t, eventstest.Subject{Open: end("memory://" + t.Name() + "?prefix=herald.")})
}
