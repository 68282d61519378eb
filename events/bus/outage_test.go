package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/eventstest"
)

// overRedis runs a test over each of the two ways of Redis.
func overRedis(t *testing.T, test func(t *testing.T, server *eventstest.RedisServer, url string)) {
	for _, scheme := range []string{"redis://", "redis+pubsub://"} {
		t.Run(scheme, func(t *testing.T) {
			server := eventstest.Redis(t)
			test(t, server, scheme+server.Addr())
		})
	}
}

func TestARedisThatHangsIsNoticedAndSoIsItsReturn(t *testing.T) {
	overRedis(t, func(t *testing.T, server *eventstest.RedisServer, url string) {
		b := openBus(t, url, quick)
		r, told := hearConnected(t, b, topic), statesOf(b)
		if err := b.Produce(t.Context(), topic, []byte("before")); err != nil {
			t.Fatal(err)
		}
		r.Expect(t, "before") // so nothing but a ping is under way or to come
		before := r.Connections()
		server.Stop()
		told.expect(t, Down)
		began := time.Now()
		if err := b.Produce(t.Context(), topic, []byte("held")); err == nil {
			t.Error("published to a Redis that hangs")
		}
		if took := time.Since(began); took > quick.publish+time.Second {
			t.Errorf("a publication took %v", took)
		}
		server.Cont()
		told.expect(t, OK)
		r.ExpectConnections(t, before+1)
		if err := b.Produce(t.Context(), topic, []byte("after")); err != nil {
			t.Fatal(err)
		}
		r.Expect(t, "after")
	})
}

func TestAKilledRedisIsKnownAtOnce(t *testing.T) {
	overRedis(t, func(t *testing.T, server *eventstest.RedisServer, url string) {
		slow := quick
		slow.probe = time.Hour // it must not be the ping that notices
		b := openBus(t, url, slow)
		hearConnected(t, b, topic)
		told := statesOf(b)
		server.Kill()
		told.expect(t, Down)
		if err := b.Ping(t.Context()); err == nil {
			t.Error("a dead Redis answers a ping")
		}
	})
}

func TestEveryRouteIsConnectedAgain(t *testing.T) {
	overRedis(t, func(t *testing.T, server *eventstest.RedisServer, url string) {
		b := openBus(t, url, quick)
		all := []*eventstest.Recorder{hearConnected(t, b, "one"), hearConnected(t, b, "two"), hearConnected(t, b, "three")}
		told := statesOf(b)
		server.Kill()
		told.expect(t, Down)
		server.Start()
		for i, r := range all {
			r.ExpectConnections(t, 2)
			if err := b.Produce(t.Context(), []string{"one", "two", "three"}[i], []byte("again")); err != nil {
				t.Fatal(err)
			}
			r.Expect(t, "again")
		}
	})
}

func TestEachRecoveryIsConnectedThoughTheSubscriptionSawNoOutage(t *testing.T) {
	overRedis(t, func(t *testing.T, _ *eventstest.RedisServer, url string) {
		calm := quick
		calm.probe, calm.retry, calm.retryMax = time.Hour, time.Millisecond, time.Millisecond
		b := openBus(t, url, calm)
		r := hearConnected(t, b, topic)
		for round := range 3 {
			before := r.Connections()
			b.health.set(Down, io.EOF) // as a publication would find
			r.ExpectConnections(t, before+1)
			payload := fmt.Sprint(round)
			if err := b.Produce(t.Context(), topic, []byte(payload)); err != nil {
				t.Fatal(err)
			}
			r.Expect(t, payload)
		}
	})
}

func TestACutConnectionIsMadeAnew(t *testing.T) {
	for scheme, kind := range map[string]string{"redis://": "normal", "redis+pubsub://": "pubsub"} {
		t.Run(scheme, func(t *testing.T) {
			server := eventstest.Redis(t)
			b := openBus(t, scheme+server.Addr(), quick)
			r := hearConnected(t, b, topic)
			before := r.Connections()
			if err := server.Client().ClientKillByFilter(t.Context(), "TYPE", kind, "SKIPME", "yes").Err(); err != nil {
				t.Fatal(err)
			}
			r.ExpectConnections(t, before+1)
			if err := b.Produce(t.Context(), topic, []byte("again")); err != nil {
				t.Fatal(err)
			}
			r.Expect(t, "again")
		})
	}
}

func TestAnOutageIsOneLineAndSoIsItsEnd(t *testing.T) {
	overRedis(t, func(t *testing.T, server *eventstest.RedisServer, url string) {
		logged := newLines()
		b := openLogged(t, url, quick, logged.logger(slog.LevelInfo))
		r := hearConnected(t, b, topic)
		server.Kill()
		logged.expect(t, "bus is down")
		for range 20 { // each of these fails
			if b.Produce(t.Context(), topic, nil) == nil {
				t.Fatal("published to a dead Redis")
			}
		}
		server.Start()
		r.ExpectConnections(t, 2)
		if got := logged.with(""); len(got) != 3 {
			t.Errorf("%d lines, not three (connected, down, connected):\n%s", len(got), strings.Join(got, ""))
		}
	})
}

func TestAPublicationOutlivesTheRequestThatMadeIt(t *testing.T) {
	overRedis(t, func(t *testing.T, _ *eventstest.RedisServer, url string) {
		b := openBus(t, url, quick)
		r := hearConnected(t, b, topic)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		e := events.ConfigChanged{Namespace: "payments", Revision: 42}
		if err := b.Publish(over, e); err != nil {
			t.Fatal(err)
		}
		r.Expect(t, string(events.Encode(e)))
		if err := b.Ping(over); err != nil || b.State() != OK {
			t.Errorf("a caller that gave up: %v, state %s", err, b.State())
		}
	})
}

func TestARedisThatRefusesUsIsDown(t *testing.T) {
	server := eventstest.Redis(t, "--requirepass", "right")
	logged := newLines()
	b := openLogged(t, "redis://:wrong@"+server.Addr(), quick, logged.logger(slog.LevelInfo))
	logged.expect(t, "WRONGPASS")
	if b.State() != Down || b.Ping(t.Context()) == nil {
		t.Errorf("state is %s", b.State())
	}
	if said := logged.with("wrong@"); len(said) > 0 {
		t.Errorf("the password is logged: %q", said)
	}
	if err := openBus(t, "redis://:right@"+server.Addr(), quick).Ping(t.Context()); err != nil {
		t.Errorf("with the right password: %v", err)
	}
}

func TestWhoMayNotPingIsConnectedAllTheSame(t *testing.T) {
	server := eventstest.Redis(t)
	err := server.Client().Do(t.Context(), "ACL", "SETUSER", "herald", "on", ">pass", "~config-*",
		"+xadd", "+xread", "+client", "+hello").Err()
	if err != nil {
		t.Fatal(err)
	}
	b := openBus(t, "redis://herald:pass@"+server.Addr(), quick)
	r := hearConnected(t, b, topic)
	if err := b.Produce(t.Context(), topic, []byte("x")); err != nil {
		t.Fatal(err)
	}
	r.Expect(t, "x")
	if err := b.Ping(t.Context()); err != nil || b.State() != OK {
		t.Errorf("ping: %v, state %s", err, b.State())
	}
}

func TestErrorsSayWhatWasNotPublishedAndWhy(t *testing.T) {
	server := eventstest.Redis(t)
	b := openBus(t, server.URL(), quick)
	server.Client().Set(t.Context(), topic, "a string", 0)
	err := b.Produce(t.Context(), topic, nil)
	if err == nil || !strings.Contains(err.Error(), topic) || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("it says %v", err)
	}
	if b.State() != OK {
		t.Error("what Redis dislikes is taken for an outage")
	}
	if err := openBus(t, "none", quick).Produce(t.Context(), topic, nil); !errors.Is(err, ErrNone) {
		t.Errorf("without a bus: %v", err)
	}
	closed := openBus(t, server.URL(), quick)
	_ = closed.Close()
	if err := errors.Join(closed.Produce(t.Context(), topic, nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := closed.Ping(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestOutagesOneAfterAnotherLoseNothingButWhatRedisRefused(t *testing.T) {
	server := eventstest.Redis(t, persistent...)
	publisher, b := openBus(t, server.URL(), quick), openBus(t, server.URL(), quick)
	r := hearConnected(t, b, topic)
	var taken []string
	for i := range 60 {
		if i%10 == 5 {
			server.Kill()
			server.Start()
		}
		payload := fmt.Sprint("change ", i)
		if publisher.Produce(t.Context(), topic, []byte(payload)) == nil {
			taken = append(taken, payload)
		}
	}
	if len(taken) < 30 {
		t.Fatalf("only %d of 60 were taken", len(taken))
	}
	r.Expect(t, taken...)
}
