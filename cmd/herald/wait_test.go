package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/httpapi"
)

func TestShareIsAPercentage(t *testing.T) {
	for _, bad := range []string{"", "99", "0%", "-1%", "101%", "x%", "%", "NaN%", "0.99", "1e9%"} {
		if new(share).Set(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
	for _, c := range []struct {
		text          string
		workers, want int
	}{{"100%", 3, 3}, {"99%", 3, 3}, {"99%", 100, 99}, {"50%", 3, 2}, {"50%", 2, 1}, {"66.6%", 1000, 666}, {"0.1%", 5, 1}, {"7%", 100, 7}} {
		var s share
		if err := s.Set(c.text); err != nil || s.String() != c.text || s.of(c.workers) != c.want {
			t.Errorf("%s of %d: %d, %v", &s, c.workers, s.of(c.workers), err)
		}
	}
}

// fleetOf has a worker in each of these states.
func fleetOf(states ...string) client.Fleet {
	fleet := client.Fleet{Namespace: "payments"}
	for i, state := range states {
		w := client.Worker{ID: fmt.Sprintf("w-%d", i), State: state}
		if state == client.Rejected {
			_ = json.Unmarshal([]byte(`{"running":{"revision":41},"last_rejected":{"revision":42,"code":"decode","message":"no\nnumber"}}`), &w)
		}
		fleet.Workers = append(fleet.Workers, w)
	}
	return fleet
}

// wait runs await against a controller that answers with these fleets in turn,
// and again with the last one, without holding any. It is asked to hold for a
// second, as long as there is one left.
func wait(t *testing.T, wanted share, limit time.Duration, fleets ...client.Fleet) (stderr string, err error) {
	t.Helper()
	asked := 0
	second := limit >= time.Minute
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/v1/namespaces/payments/fleet?revision=42" || (asked > 0 && second && r.Header.Get("Prefer") != "wait=1") {
			t.Errorf("asked %s, Prefer: %s", r.URL, r.Header.Get("Prefer"))
		}
		if len(fleets) == 0 {
			httpapi.WriteProblem(w, httpapi.NewProblem(500, "internal", "broken"))
			return
		}
		_ = httpapi.WriteJSON(w, http.StatusOK, fleets[min(asked, len(fleets)-1)])
		asked++
	}))
	defer server.Close()
	c, err := client.New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	cmd := quietCommand()
	var said bytes.Buffer
	cmd.SetErr(&said)
	cmd.SetContext(t.Context())
	err = await(cmd, c, "payments", 42, wanted, limit)
	return said.String(), err
}

func TestWaitEndsWhenTheShareIsThere(t *testing.T) {
	said, err := wait(t, 100, time.Minute, fleetOf("behind", "behind", "lost"), fleetOf("current", "behind", "lost"), fleetOf("current", "current", "lost"))
	if err != nil || !strings.Contains(said, "2 of 2 live workers run on revision 42") {
		t.Errorf("%v\n%s", err, said)
	}
	if _, err := wait(t, 50, time.Minute, fleetOf("current", "rejected")); err != nil {
		t.Errorf("half of two: %v", err)
	}
}

func TestWaitEndsAtOnceWhenItIsHopeless(t *testing.T) {
	said, err := wait(t, 60, time.Hour, fleetOf("current", "rejected", "behind"), fleetOf("current", "rejected", "rejected"))
	if !errors.Is(err, errWaitUnmet) || !strings.Contains(err.Error(), "2 of 3 live workers refused it, 60% wanted") ||
		!strings.Contains(said, "  w-1 is rejected, on revision 41: decode: no number\n") {
		t.Errorf("%v\n%s", err, said)
	}
	for _, nobody := range []client.Fleet{fleetOf(), fleetOf("lost")} {
		if _, err := wait(t, 1, 200*time.Millisecond, nobody); !errors.Is(err, errWaitUnmet) || !strings.Contains(err.Error(), "no live worker") {
			t.Errorf("nobody there: %v", err)
		}
	}
}

func TestAWorkerIsHeldByItsAgent(t *testing.T) {
	fleet := fleetOf("current", "behind", "behind")
	fleet.Revision = 42
	for i := range fleet.Workers {
		fleet.Workers[i].Agent = fmt.Sprintf("host-%d", i)
	}
	fleet.Agents = []client.RefusingAgent{
		{ID: "host-1", Rejected: &client.Rejection{Revision: 42, Code: "shrunk", Message: "half of it is gone"}},
		{ID: "host-2", Rejected: &client.Rejection{Revision: 41, Code: "shrunk"}},
	}
	said, err := wait(t, 100, time.Hour, fleet)
	if !errors.Is(err, errRejected) || !strings.Contains(said, "  w-1 is behind, held by its agent host-1: shrunk: half of it is gone\n") {
		t.Errorf("%v\n%s", err, said)
	}
}

// A namespace that nobody follows yet is not one that nobody will.
func TestWaitGivesTheFirstWorkersTime(t *testing.T) {
	if said, err := wait(t, 100, time.Minute, fleetOf(), fleetOf("lost"), fleetOf("lost", "current")); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestWhoIsInterruptedLearnsThatTheChangeStands(t *testing.T) {
	c, err := client.New("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	cmd := quietCommand()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cmd.SetContext(ctx)
	err = await(cmd, c, "payments", 42, 99, time.Minute)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "revision 42 of payments stands") {
		t.Error(err)
	}
}

func TestMeterRewritesItsLine(t *testing.T) {
	var out bytes.Buffer
	m := &meter{out: &out, terminal: true, revision: 42}
	m.show(progress{live: 4, current: 1})
	m.show(progress{live: 4, current: 1})
	m.show(progress{live: 4, current: 3, rejected: 1})
	m.end()
	m.end()
	want := "\r\x1b[K[#####---------------] 1 of 4 live workers run on revision 42" +
		"\r\x1b[K[###############-----] 3 of 4 live workers run on revision 42, 1 refused it\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
}

func TestWaitEndsWithItsTime(t *testing.T) {
	states := []string{"current"}
	for range maxLaggards + 5 {
		states = append(states, "behind")
	}
	said, err := wait(t, 99, 300*time.Millisecond, fleetOf(states...))
	if !errors.Is(err, errWaitUnmet) || !strings.Contains(err.Error(), "within 300ms: 1 of 26 live workers, 99% wanted") {
		t.Errorf("%v", err)
	}
	if strings.Count(said, "is behind") != maxLaggards || !strings.Contains(said, "and 5 more") {
		t.Errorf("laggards: %s", said)
	}
}

func TestWaitSaysWhatItDoesNotKnow(t *testing.T) {
	if _, err := wait(t, 99, time.Nanosecond, fleetOf("current")); !errors.Is(err, errWaitUnmet) || !strings.Contains(err.Error(), "has not said yet") {
		t.Errorf("no time to ask: %v", err)
	}
	if _, err := wait(t, 99, time.Minute); err == nil || errors.Is(err, errWaitUnmet) || !strings.Contains(err.Error(), "revision 42 is written, but") {
		t.Errorf("%v", err)
	}
}
