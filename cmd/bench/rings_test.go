package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/events/eventstest"
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	os.Exit(m.Run())
}

// TestThreeRings runs the measurement, short: a change passes two agents on each
// way, and the middle's death costs neither the last good nor the next change.
func TestThreeRings(t *testing.T) {
	var line bytes.Buffer
	o := ringsOptions{changes: 5, redis: eventstest.Redis(t).Addr()}
	for _, w := range ringWays {
		times, err := o.measure(t.Context(), w.bus(o.redis))
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		if median := at(times, 50); median > 3*time.Second { // a poll is 15 s
			t.Errorf("%s: median %s", w.name, median)
		}
	}
	o.changes = 1
	if err := o.run(t.Context(), &line, io.Discard); err != nil {
		t.Fatal(err)
	}
	if strings.Count(line.String(), "\n") != 1 || !strings.Contains(line.String(), "held GET ") || !strings.Contains(line.String(), "after its restart") {
		t.Errorf("printed %s", line.String())
	}
}

// TestTheSecondRingIsSeen: the controller sees the agent below another one, says by
// which way, and hears from it though it never asks.
func TestTheSecondRingIsSeen(t *testing.T) {
	r, err := startRings(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	if err := r.change(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	type seen struct {
		State, Via string
		Fetched    map[string]struct{ Revision int }
	}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		var far seen
		if err := agentOf(t.Context(), r, "far", &far); err == nil && far.State == "online" && far.Via == "middle" && far.Fetched["bench"].Revision == r.revision {
			return
		} else if time.Since(began) > 30*time.Second {
			t.Fatalf("%+v, %v", far, err)
		}
	}
}

func agentOf(ctx context.Context, r *rings, id string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.controller+"/v1/agents/"+id, nil)
	if err != nil {
		return err
	}
	answer, err := r.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return json.NewDecoder(answer.Body).Decode(into)
}
