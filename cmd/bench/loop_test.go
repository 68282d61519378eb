package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/events/eventstest"
)

// TestLoopMeasuresEachWay runs the measurement, short: every way must bring the
// change to the worker, and all but the poll sooner than the poll could.
func TestLoopMeasuresEachWay(t *testing.T) {
	var line bytes.Buffer
	o := loopOptions{changes: 3, workers: 2, poll: 500 * time.Millisecond, redis: eventstest.Redis(t).Addr()}
	if err := o.run(t.Context(), &line, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, w := range ways {
		if !strings.Contains(line.String(), w.name+" ") {
			t.Errorf("nothing of %s in %s", w.name, line.String())
		}
	}
	if strings.Count(line.String(), "\n") != 1 {
		t.Errorf("more than one line: %s", line.String())
	}
}

func TestPercentiles(t *testing.T) {
	times := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	if at(times, 50) != 6 || at(times, 99) != 10 || at(times[:1], 99) != 1 {
		t.Errorf("median %d, p99 %d", at(times, 50), at(times, 99))
	}
}
