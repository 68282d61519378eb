package handler_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/events/eventstest"
	"github.com/heraldconf/herald/services/worker/handler"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

const patience = 20 * time.Second

func openBus(t *testing.T, url string) *bus.Bus {
	t.Helper()
	b, err := bus.Open(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// listen has a Link listen to host-7 until the test ends, and returns its nudges.
func listen(t *testing.T, l *handler.Link) <-chan pull.Nudge {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	nudges := make(chan pull.Nudge, 100)
	var listening sync.WaitGroup
	listening.Go(func() { l.Listen(ctx, "host-7", func(n pull.Nudge) { nudges <- n }) })
	t.Cleanup(func() {
		cancel()
		listening.Wait()
	})
	return nudges
}

func await(t *testing.T, nudges <-chan pull.Nudge, what string) pull.Nudge {
	t.Helper()
	select {
	case n := <-nudges:
		return n
	case <-time.After(patience):
		t.Fatalf("no nudge %s", what)
		return pull.Nudge{}
	}
}

func fetched(agent string, namespace config.Name, revision config.Revision) events.ConfigFetched {
	return events.ConfigFetched{Fetched: config.Fetched{Agent: agent, Namespace: namespace, Revision: revision, Epoch: "E1"}}
}

func TestLinkHearsItsAgentAndItsNamespace(t *testing.T) {
	b := openBus(t, "memory://link-hears")
	l := handler.NewLink(b, "demo", slog.New(slog.DiscardHandler))
	if !l.Healthy() {
		t.Error("a bus in memory is not healthy")
	}
	nudges := listen(t, l)
	if n := await(t, nudges, "on connecting"); n.Position.Revision != 0 || n.Spread != time.Second {
		t.Errorf("on connecting: %+v", n)
	}
	for _, payload := range []string{``, `nonsense`, `{"agent":"host-7"}`, `{"agent":"host-7","namespace":"../etc","revision":1}`} {
		if err := b.Produce(t.Context(), events.TopicFetched("host-7"), []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	want := pull.Nudge{Position: config.Position{Epoch: "E1", Revision: 3}}
	for range 20 { // what is published in memory may arrive in another order
		for _, e := range []events.ConfigFetched{fetched("host-8", "demo", 1), fetched("host-7", "other", 2), fetched("host-7", "demo", 3)} {
			if err := b.Publish(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if n := await(t, nudges, "about what its agent fetched"); n != want {
			t.Fatalf("nudge %+v, want %+v alone", n, want)
		}
	}
}

func TestLinkTellsVerdicts(t *testing.T) {
	b := openBus(t, "memory://link-tells")
	heard := make(chan []byte, 10)
	ctx, cancel := context.WithCancel(t.Context())
	connected := make(chan struct{})
	var serving sync.WaitGroup
	serving.Go(func() {
		_ = b.Serve(ctx, bus.Route{Name: "applied", Topic: events.TopicApplied,
			Handle:    func(_ context.Context, payload []byte) { heard <- payload },
			Connected: func() { close(connected) }})
	})
	defer serving.Wait()
	defer cancel()
	<-connected
	verdict := config.Verdict{Worker: "w-1", Agent: "host-7", Namespace: "demo", Revision: 3, Epoch: "E1", Status: config.Applied}
	if err := handler.NewLink(b, "demo", slog.New(slog.DiscardHandler)).Tell(t.Context(), verdict); err != nil {
		t.Fatal(err)
	}
	select {
	case payload := <-heard:
		if e, ok := events.DecodeApplied(payload); !ok || e.Verdict != verdict {
			t.Errorf("%s", payload)
		}
	case <-time.After(patience):
		t.Fatal("no verdict on the bus")
	}
}

func TestLinkNudgesWhenTheBusGoesAndComes(t *testing.T) {
	server := eventstest.Redis(t)
	l := handler.NewLink(openBus(t, server.URL()), "demo", slog.New(slog.DiscardHandler))
	nudges := listen(t, l)
	until := func(healthy bool, what string) {
		t.Helper()
		for await(t, nudges, what); l.Healthy() != healthy; {
			await(t, nudges, what)
		}
	}
	until(true, "on connecting")
	server.Kill()
	until(false, "when the bus went")
	server.Start()
	until(true, "when the bus was back")
}

func TestLinkWithoutABus(t *testing.T) {
	l := handler.NewLink(openBus(t, "none"), "demo", slog.New(slog.DiscardHandler))
	if l.Healthy() {
		t.Error("no bus is healthy")
	}
	if err := l.Tell(t.Context(), config.Verdict{}); err == nil {
		t.Error("no bus took a verdict")
	}
	listen(t, l)
}
