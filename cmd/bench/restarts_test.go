package main

import (
	"bytes"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/heraldconf/herald/events/eventstest"
)

// TestRestartsWithEverythingElseDead runs the measurement, short. Who was in time
// is not held here, where other tests run beside it; that it is counted is.
func TestRestartsWithEverythingElseDead(t *testing.T) {
	var line bytes.Buffer
	err := restartsOptions{times: 5, redis: eventstest.Redis(t).Addr()}.run(t.Context(), &line)
	counted := regexp.MustCompile(`^(\d) of 5 agents and (\d) of 5 workers within 1s; agents median \S+, max \S+; workers median \S+, max \S+\n$`)
	found := counted.FindStringSubmatch(line.String())
	if found == nil {
		t.Fatalf("%v: %q", err, line.String())
	}
	t.Log(line.String())
	if all := found[1] == "5" && found[2] == "5"; all != (err == nil) {
		t.Errorf("%v with %s", err, line.String())
	}
}

func TestWhoIsInTime(t *testing.T) {
	if n := inTime([]time.Duration{time.Millisecond, time.Second, time.Second + 1}); n != 2 {
		t.Errorf("%d in time", n)
	}
}

// TestWhatIsNotTheLastGoodIsFound asks programs that have something else.
func TestWhatIsNotTheLastGoodIsFound(t *testing.T) {
	f, err := startFleet(t.Context(), "", 1, time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.stop()
	if err := f.change(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	s := &survivors{agent: &program{address: f.controller[len("http://"):]}, last: []byte("other")}
	if err := s.agentServes(t.Context()); err == nil || errors.Is(err, errNotYet) {
		t.Errorf("another snapshot: %v", err)
	}
	s.last = read(t.Context(), f.controller+benchSnapshot)
	if err := s.agentServes(t.Context()); err != nil {
		t.Errorf("the same snapshot: %v", err)
	}
	if err := (&survivors{worker: s.agent}).workerRuns(t.Context()); !errors.Is(err, errNotYet) {
		t.Errorf("no worker: %v", err)
	}
}
