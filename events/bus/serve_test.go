package bus

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/eventstest"
)

func TestServeWithoutABusWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBus(t, "", defaultTimes)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if err := b.Serve(ctx, Route{Name: "a", Topic: topic, Handle: eventstest.NewRecorder().Handle}); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited != time.Hour {
			t.Errorf("waited %v", waited)
		}
		if b.State() != None || !errors.Is(b.Ping(t.Context()), ErrNone) {
			t.Errorf("state is %s", b.State())
		}
	})
}

func TestServeRefusesRoutesThatLeadNowhere(t *testing.T) {
	b := openBus(t, "memory://"+t.Name(), quick)
	handle := eventstest.NewRecorder().Handle
	for what, routes := range map[string][]Route{
		"topic":   {{Name: "a", Handle: handle}},
		"handler": {{Name: "a", Topic: topic}},
		`"a"`:     {{Name: "a", Topic: topic, Handle: handle}, {Name: "a", Topic: "other", Handle: handle}},
	} {
		if err := b.Serve(t.Context(), routes...); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("it says %v, and nothing of %s", err, what)
		}
	}
}

func TestServeMayRunSeveralTimesAtOnce(t *testing.T) {
	b := openBus(t, "memory://"+t.Name(), quick)
	known := hearConnected(t, b, "config-changed")
	learnt := hearConnected(t, b, events.TopicFetched("host-7")) // a name that is learnt later
	_ = b.Produce(t.Context(), "config-changed", []byte("1"))
	_ = b.Produce(t.Context(), "config-fetched.host-7", []byte("2"))
	known.Expect(t, "1")
	learnt.Expect(t, "2")
}

func TestCloseEndsServeAndConsume(t *testing.T) {
	server := eventstest.Redis(t)
	for _, url := range []string{server.URL(), "redis+pubsub://" + server.Addr(), "memory://" + t.Name(), "none"} {
		b := openBus(t, url, quick)
		r := eventstest.NewRecorder()
		var ended sync.WaitGroup
		ended.Go(func() {
			route := Route{Name: "a", Topic: topic, Handle: r.Handle, Connected: r.Connected}
			if err := b.Serve(context.Background(), route); err != nil {
				t.Error(err)
			}
		})
		ended.Go(func() {
			err := b.Consume(context.Background(), topic, false, func(Message) error { return nil })
			if err != nil && !errors.Is(err, ErrNone) {
				t.Error(err)
			}
		})
		if url != "none" {
			r.ExpectConnections(t, 1)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		ended.Wait()
	}
}

func TestAHandlerThatPanicsCostsItsMessageAlone(t *testing.T) {
	server := eventstest.Redis(t)
	for _, url := range []string{server.URL(), "redis+pubsub://" + server.Addr(), "memory://" + t.Name()} {
		logged, r := newLines(), eventstest.NewRecorder()
		b := openLogged(t, url, quick, logged.logger(slog.LevelInfo))
		serve(t, b, Route{Name: "brittle", Topic: topic, Connected: r.Connected, Handle: func(ctx context.Context, payload []byte) {
			r.Handle(ctx, payload)
			if string(payload) == "poison" {
				panic("as it must")
			}
		}})
		r.ExpectConnections(t, 1)
		_ = b.Produce(t.Context(), topic, []byte("poison"))
		logged.expect(t, "as it must")
		_ = b.Produce(t.Context(), topic, []byte("good"))
		r.Expect(t, "good")
		if got := r.Payloads(); len(got) != 2 {
			t.Errorf("%s: heard %q", url, got)
		}
		if said := logged.with("a handler panicked"); len(said) != 1 || !strings.Contains(said[0], "handler=brittle") {
			t.Errorf("%s: logged %q", url, said)
		}
	}
}

func TestARouterThatEndsIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := newLines()
		b := openLogged(t, "none", defaultTimes, logged.logger(slog.LevelInfo))
		ctx, cancel := context.WithCancel(t.Context())
		runs, began := 0, time.Now()
		b.supervise(ctx, func() error {
			switch runs++; runs {
			case 1:
				return errors.New("cannot subscribe")
			case 4:
				cancel()
			}
			return nil
		})
		if runs != 4 || len(logged.with("made anew")) != 3 {
			t.Errorf("ran %d times and logged %q", runs, logged.with(""))
		}
		// 0.25–0.5 s, 0.5–1 s, 1–2 s
		if took := time.Since(began); took < 1750*time.Millisecond || took > 3500*time.Millisecond {
			t.Errorf("three attempts took %v", took)
		}
	})
}

// mortal is a Subscriber whose first attempt fails, and whose subscriptions die
// after one message.
type mortal struct{ attempts int }

func (m *mortal) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	if m.attempts++; m.attempts == 1 {
		return nil, errors.New("not yet")
	}
	out := make(chan *message.Message, 1)
	out <- message.NewMessage("", nil)
	close(out)
	return out, nil
}

func (*mortal) Close() error { return nil }

func TestASubscriptionThatDiesIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := steady{Subscriber: &mortal{}, times: defaultTimes, logger: slog.New(slog.DiscardHandler)}
		messages, err := s.Subscribe(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, ok := <-messages; !ok {
				t.Fatal("the channel closed with a subscription behind it")
			}
		}
		cancel()
		for range messages {
			continue // what was on its way
		}
	})
}

func TestRefusedMessagesComeAgainButNotAtOnce(t *testing.T) {
	overRedis(t, func(t *testing.T, _ *eventstest.RedisServer, url string) {
		b, connected := openBus(t, url, quick), make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		messages, err := b.transport.subscriber(subscription{connected: func() { connected <- struct{}{} }}).Subscribe(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		<-connected
		_ = b.Produce(t.Context(), topic, []byte("again"))
		first := <-messages
		refused := time.Now()
		first.Nack()
		second := <-messages
		if waited := time.Since(refused); waited < quick.retryMax {
			t.Errorf("it came again after %v", waited)
		}
		if string(second.Payload) != "again" || second.UUID != first.UUID {
			t.Errorf("what came again was %s %q", second.UUID, second.Payload)
		}
		second.Ack()
	})
}

func TestMemoryIsSharedByNameAndEndsWithTheLast(t *testing.T) {
	name := "memory://" + t.Name()
	one, two, other := openBus(t, name, quick), openBus(t, name, quick), openBus(t, name+"-other", quick)
	r, apart := hearConnected(t, two, topic), hearConnected(t, other, topic)
	if err := one.Produce(t.Context(), topic, []byte("shared")); err != nil {
		t.Fatal(err)
	}
	r.Expect(t, "shared")
	_, _ = one.Close(), one.Close() // closing twice leaves once
	if err := two.Produce(t.Context(), topic, []byte("still")); err != nil {
		t.Fatal(err)
	}
	r.Expect(t, "still")
	_ = two.Close()
	if got := apart.Payloads(); len(got) > 0 {
		t.Errorf("another name heard %q", got)
	}
	memories.Lock()
	defer memories.Unlock()
	if memories.open[t.Name()] != nil || memories.open[t.Name()+"-other"] == nil {
		t.Error("a bus in memory is kept without users, or lost with some")
	}
}

func TestAHandlerMayPublishToItsOwnTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBus(t, "memory://"+t.Name(), defaultTimes)
		r := eventstest.NewRecorder()
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go func() {
			_ = b.Serve(ctx, Route{Name: "echo", Topic: topic, Connected: r.Connected, Handle: func(ctx context.Context, payload []byte) {
				r.Handle(ctx, payload)
				if len(payload) < 3 {
					_ = b.Produce(ctx, topic, append(payload, '+'))
				}
			}})
		}()
		r.ExpectConnections(t, 1)
		_ = b.Produce(t.Context(), topic, []byte("a"))
		r.Expect(t, "a", "a+", "a++")
	})
}
