package domain

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

var errRefused = errors.New("connection refused")

func TestCircuitGrowsAndIsProbedByOne(t *testing.T) {
	c, now := Circuit{Seed: 7}, noon
	if c = c.Observe(errRefused, now); c.State(now) != Closed {
		t.Fatalf("one failure: %+v", c)
	}
	var before time.Duration
	for i := range 12 {
		c = c.Observe(errRefused, now)
		pause := c.Until.Sub(now)
		if c.State(now) != Open || pause < circuitBase/2 || pause > circuitMost || i < 5 && pause <= before {
			t.Fatalf("after %d failures: %s, before %s, %+v", c.Failures, pause, before, c)
		}
		if _, ok := c.Admit(c.Until.Add(-time.Nanosecond)); ok {
			t.Fatal("asked before its time")
		}
		before, now = pause, c.Until
		probed, ok := c.Admit(now)
		if _, second := probed.Admit(now.Add(time.Second)); !ok || second || probed.State(now) != HalfOpen {
			t.Fatalf("probes: %t, and another %t", ok, second)
		}
		if _, ok := probed.Admit(now.Add(probeLimit)); !ok {
			t.Fatal("a probe that got lost closes the way for ever")
		}
		if _, ok := probed.Abandon(now).Admit(now); !ok {
			t.Fatal("an abandoned probe keeps the next one waiting")
		}
		c = probed
	}
	if c = c.Observe(nil, now); c != (Circuit{Seed: 7}) || c.State(now) != Closed {
		t.Errorf("it answered: %+v", c)
	}
}

func TestCircuitsOfAFleetDiffer(t *testing.T) {
	pauses := map[time.Duration]bool{}
	for seed := range uint64(50) {
		c := Circuit{Seed: seed}.Observe(errRefused, noon).Observe(errRefused, noon)
		pauses[c.Until.Sub(noon)] = true
	}
	if len(pauses) < 45 {
		t.Errorf("50 circuits have %d times", len(pauses))
	}
}

func TestWhatOpensACircuitAtOnce(t *testing.T) {
	for _, err := range []error{fmt.Errorf("x: %w", ErrLoop), fmt.Errorf("x: %w", ErrBehind), &Busy{After: 90 * time.Second, Err: errRefused}} {
		c := Circuit{}.Observe(err, noon)
		if _, ok := c.Admit(noon.Add(circuitBase/2 - 1)); ok {
			t.Errorf("%v: asked again at once", err)
		}
		if _, busy := errors.AsType[*Busy](err); busy && (!c.Told || c.Until != noon.Add(90*time.Second)) {
			t.Errorf("Retry-After is not obeyed: %+v", c)
		}
	}
	if c := (Circuit{}).Observe(&Busy{Err: errRefused}, noon); c.State(noon) != Closed {
		t.Errorf("503 without Retry-After is a failure like others: %+v", c)
	}
}

func TestPaths(t *testing.T) {
	long := make([]string, MaxHops+1)
	for i := range long {
		long[i] = fmt.Sprint("agent-", i)
	}
	for _, c := range []struct {
		path  []string
		loop  bool
		below []string
	}{
		{nil, false, []string{"a"}},
		{[]string{"b"}, false, []string{"b", "a"}},
		{[]string{"a", "b"}, true, []string{"b", "a"}},
		{[]string{"a", "c", "a", "b"}, true, []string{"b", "a"}},
		{long[:MaxHops], false, append(slices.Clone(long[:MaxHops]), "a")},
		{long, true, append(slices.Clone(long[1:]), "a")},
	} {
		if err := CheckPath(c.path, "a"); errors.Is(err, ErrLoop) != c.loop || (err != nil) != c.loop {
			t.Errorf("%v: %v", c.path, err)
		}
		if got := Below(c.path, "a"); !slices.Equal(got, c.below) {
			t.Errorf("below %v: %v", c.path, got)
		}
	}
}
