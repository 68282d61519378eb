package bus

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/eventstest"
)

const topic = "config-changed"

// persistent has Redis know everything still after a kill.
var persistent = []string{"--appendonly", "yes", "--appendfsync", "always"}

func TestHearsWhatIsPublishedWhileItReconnectsBeforeItsFirstMessage(t *testing.T) {
	for name, args := range map[string][]string{"empty": nil, "with data": persistent} {
		t.Run(name, func(t *testing.T) {
			for try := 1; !hearsWhileReconnecting(t, args); try++ {
				if try == 20 {
					t.Fatal("the bus always reconnected before anything was published; the test shows nothing")
				}
			}
		})
	}
}

// hearsWhileReconnecting kills Redis, publishes right after it is back, and sees
// all of it arrive. It returns false if the bus was quicker than the publishing.
func hearsWhileReconnecting(t *testing.T, args []string) bool {
	t.Helper()
	server := eventstest.Redis(t, args...)
	add(t, server.Client(), topic, "*", "payload", "old")
	slow := quick
	slow.retry, slow.retryMax = time.Second, time.Second
	b := openBus(t, server.URL(), slow)
	r, told := hearConnected(t, b, topic), statesOf(b)
	server.Kill()
	told.expect(t, Down)
	server.Start()
	payloads := addPayloads(t, server.Client(), topic, 12)
	if b.State() != Down {
		return false
	}
	r.Expect(t, payloads...)
	r.ExpectConnections(t, 2)
	if got := len(r.Payloads()); got != 12 {
		t.Errorf("heard %d messages, not 12: %q", got, r.Payloads())
	}
	return true
}

func TestHearsWhatIsPublishedBeforeItConnectsForTheFirstTime(t *testing.T) {
	server := eventstest.Redis(t)
	server.Kill()
	logged := newLines()
	b := openLogged(t, server.URL(), quick, logged.logger(slog.LevelDebug))
	r := hear(t, b, topic)
	logged.expect(t, "Starting consuming")
	if b.State() != Down || r.Connections() != 0 {
		t.Errorf("state is %s, connected %d times, before Redis was ever there", b.State(), r.Connections())
	}
	server.Start()
	r.Expect(t, addPayloads(t, server.Client(), topic, 12)...)
	r.ExpectConnections(t, 1)
}

func TestBeginsWithWhatComesNext(t *testing.T) {
	server := eventstest.Redis(t)
	addPayloads(t, server.Client(), topic, 3)
	r := hearConnected(t, openBus(t, server.URL(), quick), topic)
	add(t, server.Client(), topic, "*", "payload", "new")
	r.Expect(t, "new")
	if got := r.Payloads(); len(got) != 1 {
		t.Errorf("heard %q", got)
	}
}

func TestNoEntryStopsAReader(t *testing.T) {
	server := eventstest.Redis(t)
	r := hearConnected(t, openBus(t, server.URL(), quick), topic)
	for i, fields := range [][]any{
		{"payload", "no uuid"},
		{redisstream.UUIDHeaderKey, "no payload"},
		{redisstream.UUIDHeaderKey, "", "payload", "empty uuid"},
		{"nothing", "of ours"},
		{"payload", "bad metadata", "metadata", "\xc1 not msgpack"},
		{"payload", "huge metadata", "metadata", "\xdf\xff\xff\xff\xff"},
		{"payload", "metadata that is a list", "metadata", "\x93\x01\x02\x03"},
		{"payload", "metadata of numbers", "metadata", "\x81\x01\x02"},
		{"payload", "twice", "payload", "over"},
		{"payload", "odd keys", "meta:", "x", "meta:\xff", "\xff", "", "", "meta:name", strings.Repeat("n", 1<<16)},
	} {
		add(t, server.Client(), topic, "*", fields...)
		r.ExpectCount(t, i+1)
	}
	add(t, server.Client(), topic, "*", "payload", "good")
	r.Expect(t, "no uuid", "", "empty uuid", "bad metadata", "huge metadata", "odd keys", "good")
}

func TestIsNotDeafAfterAForgedIDAndAFlush(t *testing.T) {
	const forged = "99999999999999-5"
	forge := func(t *testing.T, with times) (*eventstest.RedisServer, *eventstest.Recorder) {
		server := eventstest.Redis(t)
		r := hearConnected(t, openBus(t, server.URL(), with), topic)
		add(t, server.Client(), topic, forged, "payload", "from the future")
		r.Expect(t, "from the future")
		return server, r
	}
	t.Run("noticed by the check", func(t *testing.T) {
		checking := quick
		checking.check = 50 * time.Millisecond
		server, r := forge(t, checking)
		before := r.Connections()
		server.Client().FlushAll(t.Context())
		add(t, server.Client(), topic, "*", "payload", "of today")
		r.Expect(t, "of today")
		r.ExpectConnections(t, before+1)
		// The same forgery again must not send the reader round in circles.
		add(t, server.Client(), topic, forged, "payload", "forged again")
		add(t, server.Client(), topic, "*", "payload", "and on")
		r.Expect(t, "forged again", "and on")
		if got := r.Payloads(); len(got) != 4 {
			t.Errorf("heard %q", got)
		}
	})
	t.Run("noticed on reconnection", func(t *testing.T) {
		server, r := forge(t, quick)
		server.Kill()
		server.Start() // it forgot everything
		add(t, server.Client(), topic, "*", "payload", "of today")
		r.Expect(t, "of today")
	})
}

func TestAForgedLastIDDoesNotEndATopic(t *testing.T) {
	server, logged := eventstest.Redis(t), newLines()
	checking := quick
	checking.check = 50 * time.Millisecond
	b := openLogged(t, server.URL(), checking, logged.logger(slog.LevelWarn))
	r := hearConnected(t, b, topic)
	add(t, server.Client(), topic, "18446744073709551615-18446744073709551615", "payload", "the last")
	r.Expect(t, "the last")
	for _, payload := range []string{"one", "two"} {
		if err := b.Produce(t.Context(), topic, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		r.Expect(t, payload)
	}
	if got := logged.with(""); len(got) != 1 {
		t.Errorf("logged %q", got)
	}
}

func TestAFlushCostsNothing(t *testing.T) {
	server := eventstest.Redis(t)
	r := hearConnected(t, openBus(t, server.URL(), quick), topic)
	add(t, server.Client(), topic, "*", "payload", "before")
	r.Expect(t, "before")
	server.Client().FlushAll(t.Context())
	time.Sleep(2 * time.Millisecond) // an ID is a millisecond, and this one must be another
	add(t, server.Client(), topic, "*", "payload", "after")
	r.Expect(t, "after")
}

func TestTrimmingCostsNothing(t *testing.T) {
	server := eventstest.Redis(t)
	checking := quick
	checking.check = 20 * time.Millisecond
	r := hearConnected(t, openBus(t, server.URL(), checking), topic)
	connections := r.Connections()
	for i := range 3 {
		payload := fmt.Sprint(i)
		add(t, server.Client(), topic, "*", "payload", payload)
		r.Expect(t, payload)
		server.Client().XTrimMaxLen(t.Context(), topic, 0)
	}
	if got := len(r.Payloads()); got != 3 || r.Connections() != connections {
		t.Errorf("heard %d messages and connected %d times, not 3 and %d", got, r.Connections(), connections)
	}
}

func TestATopicOfAnotherTypeIsWaitedOut(t *testing.T) {
	server := eventstest.Redis(t)
	server.Client().Set(t.Context(), topic, "a string", 0)
	r := hearConnected(t, openBus(t, server.URL(), quick), topic)
	server.Client().Del(t.Context(), topic)
	add(t, server.Client(), topic, "*", "payload", "a stream at last")
	r.Expect(t, "a stream at last")
}

func TestStreamsAreTrimmed(t *testing.T) {
	server := eventstest.Redis(t)
	b := openBus(t, server.URL(), quick)
	for range 1500 {
		if err := b.Produce(t.Context(), topic, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if got := server.Client().XLen(t.Context(), topic).Val(); got < maxLength || got > maxLength+200 {
		t.Errorf("%d entries are kept of 1500, not about %d", got, maxLength)
	}
}

func TestClosingWhatRedisstreamWasGivenClosesNothing(t *testing.T) {
	server := eventstest.Redis(t)
	b := openBus(t, server.URL(), quick)
	r := hearConnected(t, b, topic)
	if err := b.transport.(*stream).publisher.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Ping(t.Context()); err != nil {
		t.Errorf("the publisher closed the client: %v", err)
	}
	reader := newReader(b.transport.(*stream).connection, topic)
	defer reader.close()
	if err := reader.Close(); err != nil || reader.client.Ping(t.Context()).Err() != nil {
		t.Errorf("the subscriber closed the client: %v", err)
	}
	add(t, server.Client(), topic, "*", "payload", "heard")
	r.Expect(t, "heard")
}

func TestReadersNeverHoldTheConnectionThatAPublicationNeeds(t *testing.T) {
	server := eventstest.Redis(t)
	b := openBus(t, server.URL(), quick)
	var all []*eventstest.Recorder
	for i := range 60 {
		all = append(all, hear(t, b, fmt.Sprintf("topic-%d", i)))
	}
	for i, r := range all {
		r.ExpectConnections(t, 1)
		if err := b.Produce(t.Context(), fmt.Sprintf("topic-%d", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
		r.Expect(t, "x")
	}
}

func TestAnIdleSubscriptionCostsRedisNothing(t *testing.T) {
	server := eventstest.Redis(t)
	b := openBus(t, server.URL(), defaultTimes)
	hearConnected(t, b, topic)
	server.Client().ConfigResetStat(t.Context())
	time.Sleep(time.Second) // it is about what does not happen
	stats := server.Client().Info(t.Context(), "commandstats").Val()
	calls := 0
	for line := range strings.SplitSeq(stats, "\r\n") {
		var n int
		if _, counted, ok := strings.Cut(line, ":calls="); ok && !strings.Contains(line, "config") {
			_, _ = fmt.Sscanf(counted, "%d", &n)
			calls += n
		}
	}
	if calls > 4 { // one read, one ping, and what a new connection says
		t.Errorf("%d commands in an idle second:\n%s", calls, stats)
	}
}

func TestWatermillsOwnMarshallerAndOursReadEachOther(t *testing.T) {
	server := eventstest.Redis(t)
	b := openBus(t, server.URL(), quick)
	ours := make(chan Message, 1)
	consume(t, b, topic, ours)
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: lent{server.Client()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	msg := message.NewMessage("their-uuid", []byte("theirs"))
	msg.Metadata.Set("name", "ConfigChanged")
	if err := publisher.Publish(topic, msg); err != nil {
		t.Fatal(err)
	}
	got := <-ours
	if got.UUID != "their-uuid" || string(got.Payload) != "theirs" || got.Metadata["name"] != "ConfigChanged" {
		t.Errorf("of theirs we read %+v", got)
	}

	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: redis.NewClient(&redis.Options{Addr: server.Addr()}), FanOutOldestId: "$",
		DisableIndefiniteInitialBlock: true,
	}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = subscriber.Close() }()
	theirs, err := subscriber.Subscribe(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	e := events.ConfigChanged{Namespace: "payments", Revision: 42}
	for read := false; !read; { // their reader begins with what comes next, whenever that is
		if err := b.send(t.Context(), "other", message.NewMessage(e.ID(), events.Encode(e))); err != nil {
			t.Fatal(err)
		}
		select {
		case msg := <-theirs:
			if msg.UUID != "payments@42" || string(msg.Payload) != string(events.Encode(e)) {
				t.Errorf("of ours they read %s %s", msg.UUID, msg.Payload)
			}
			msg.Ack()
			read = true
		case <-time.After(20 * time.Millisecond):
		}
	}
}
