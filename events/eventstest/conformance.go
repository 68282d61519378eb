package eventstest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A Subject is a kind of bus that is to conform.
type Subject struct {
	// Open makes an end of the bus, as a process of its own would.
	Open func(testing.TB) End
	// Interrupt cuts every connection and lets them come back. It is nil where
	// there is none that could be cut.
	Interrupt func(testing.TB)
}

// An End is one process's hold of a bus.
type End struct {
	// Publish sends one payload.
	Publish func(topic string, payload []byte) error
	// Serve has the recorder hear a topic until ctx or the bus ends.
	Serve func(ctx context.Context, topic string, r *Recorder) error
	// Close ends this end alone.
	Close func() error
}

// Conformance tests what every bus promises: what is published while a
// subscription is in place arrives at each subscriber, whatever it is, and again
// after an outage.
func Conformance(t *testing.T, s Subject) {
	t.Run("delivery", s.delivers)
	t.Run("fan-out", s.fansOut)
	t.Run("topics", s.keepsTopicsApart)
	t.Run("forged", s.survivesForgeries)
	t.Run("return", s.hearsWhoReturns)
	t.Run("reconnection", s.reconnects)
	t.Run("close", s.closes)
	t.Run("10000", s.carriesMany)
}

// open makes an end that is closed with the test.
func (s Subject) open(t *testing.T) End {
	t.Helper()
	end := s.Open(t)
	t.Cleanup(func() {
		if err := end.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return end
}

// listen serves a topic until stop is called, or the test ends, and returns once
// the subscription is in place.
func (e End) listen(t *testing.T, topic string) (r *Recorder, stop func()) {
	t.Helper()
	r = NewRecorder()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Serve(ctx, topic, r) }()
	stop = func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
			done <- nil
		case <-time.After(patience):
			t.Error("serve did not end with its context")
		}
	}
	t.Cleanup(stop)
	r.ExpectConnections(t, 1)
	return r, stop
}

func (e End) publish(t *testing.T, topic, payload string) {
	t.Helper()
	if err := e.Publish(topic, []byte(payload)); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

func (s Subject) delivers(t *testing.T) {
	end := s.open(t)
	r, _ := end.listen(t, "delivery")
	for _, payload := range []string{`{"namespace":"payments"}`, "", "\x00\xff\r\n$-1\r\n", strings.Repeat("x", 1<<20)} {
		end.publish(t, "delivery", payload)
		r.Expect(t, payload)
	}
}

func (s Subject) fansOut(t *testing.T) {
	publisher := s.open(t)
	var all []*Recorder
	for range 3 {
		end := s.open(t)
		for range 2 {
			r, _ := end.listen(t, "fan-out")
			all = append(all, r)
		}
	}
	publisher.publish(t, "fan-out", "to all")
	for _, r := range all {
		r.Expect(t, "to all")
	}
}

func (s Subject) keepsTopicsApart(t *testing.T) {
	end := s.open(t)
	one, _ := end.listen(t, "topic.one")
	two, _ := end.listen(t, "topic.two")
	end.publish(t, "topic.one", "1")
	end.publish(t, "topic.two", "2")
	one.Expect(t, "1")
	two.Expect(t, "2")
	if got := len(one.Payloads()) + len(two.Payloads()); got != 2 {
		t.Errorf("two topics carried %d messages, not 2", got)
	}
}

func (s Subject) survivesForgeries(t *testing.T) {
	end := s.open(t)
	r, _ := end.listen(t, "forged")
	forged := []string{
		"{", "null", "[]", "true", `"text"`, `{"namespace":7}`, `{"namespace":"payments","revision":-1}`,
		`{"namespace":"payments","revision":99999999999999999999}`, "\xff\xfe", strings.Repeat("[", 100_000),
	}
	for _, payload := range forged {
		end.publish(t, "forged", payload)
	}
	end.publish(t, "forged", "good")
	r.Expect(t, append(forged, "good")...)
}

func (s Subject) hearsWhoReturns(t *testing.T) {
	end := s.open(t)
	first, leave := end.listen(t, "return")
	end.publish(t, "return", "before")
	first.Expect(t, "before")
	leave()
	end.publish(t, "return", "away")
	second, _ := end.listen(t, "return")
	end.publish(t, "return", "after")
	second.Expect(t, "after")
	if got := first.Payloads(); len(got) != 1 {
		t.Errorf("who left went on hearing: %q", got)
	}
}

func (s Subject) reconnects(t *testing.T) {
	if s.Interrupt == nil {
		return // what has no connection has none to lose
	}
	publisher, end := s.open(t), s.open(t)
	r, _ := end.listen(t, "reconnection")
	for round := range 3 {
		before := r.Connections()
		s.Interrupt(t)
		r.ExpectConnections(t, before+1)
		payload := fmt.Sprintf("after outage %d", round)
		publisher.publish(t, "reconnection", payload)
		r.Expect(t, payload)
	}
}

func (s Subject) closes(t *testing.T) {
	closing, staying := s.open(t), s.open(t)
	left, stop := closing.listen(t, "close")
	stays, _ := staying.listen(t, "close")
	for range 2 {
		if err := closing.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	stop() // has ended already, and without an error
	if closing.Publish("close", []byte("closed")) == nil {
		t.Error("published on a bus that is closed")
	}
	staying.publish(t, "close", "still here")
	stays.Expect(t, "still here")
	if got := left.Payloads(); len(got) != 0 {
		t.Errorf("heard after close: %q", got)
	}
}

// carriesMany keeps what is on its way under 500, since a bus keeps a thousand.
func (s Subject) carriesMany(t *testing.T) {
	const many, underway = 10_000, 500
	publisher, end := s.open(t), s.open(t)
	r, _ := end.listen(t, "many")
	for i := range many {
		publisher.publish(t, "many", fmt.Sprint(i))
		r.ExpectCount(t, i-underway)
	}
	for i := range many {
		r.Expect(t, fmt.Sprint(i))
	}
	if got := len(r.Payloads()); got != many {
		t.Errorf("heard %d messages of %d", got, many)
	}
}
