package herald_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller"
)

func startControllerThatPolls(t *testing.T, every time.Duration) string {
	t.Helper()
	db := filepath.Join(t.TempDir(), "controller.db")
	address, _ := started(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return controller.Run(ctx, controller.Config{Listener: listener, DB: db, PollInterval: every}, log)
	})
	return address
}

// setInterval sets how often an agent is to poll, once the controller knows it.
func setInterval(t *testing.T, ctl, agent, seconds string) {
	t.Helper()
	await(t, 20*time.Second, "an agent is known", func() bool {
		answer, _ := call(t, http.MethodPatch, ctl+"/v1/agents/"+agent, []byte(`{"poll_interval_seconds":`+seconds+`}`))
		return answer.StatusCode == http.StatusOK
	})
}

// TestASlowRelayAboveAQuickAgent: neither the agent nor its worker is taken for lost,
// though they are to be heard more often than the relay polls.
func TestASlowRelayAboveAQuickAgent(t *testing.T) {
	for name, c := range map[string]struct {
		every, relay, host string // how often all poll, the relay, and the agent below it
	}{
		"a quick agent": {every: "4s", host: "0.5"},
		"a slow relay":  {every: "500ms", relay: "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			every, err := time.ParseDuration(c.every)
			if err != nil {
				t.Fatal(err)
			}
			ctl := startControllerThatPolls(t, every)
			put(t, ctl, "payments/configs/limits", `{"rps":1}`)
			relay, _ := startAgent(t, "relay", ctl, t.TempDir(), "")
			if c.relay != "" {
				setInterval(t, ctl, "relay", c.relay)
				await(t, 70*time.Second, "the relay knows", func() bool {
					return serves(t, relay, `"rps":1`).Get("Herald-Poll-Interval") == c.relay
				})
			}
			host, _ := startAgent(t, "host", relay, t.TempDir(), "")
			if c.host != "" {
				setInterval(t, ctl, "host", c.host)
			}
			await(t, 30*time.Second, "the agent polls quickly", func() bool {
				return serves(t, host, `"rps":1`).Get("Herald-Poll-Interval") == "0.5"
			})
			watchLimits(t, host)(1)
			await(t, 20*time.Second, "the worker is known", func() bool { return len(workersOf(t, ctl)) == 1 })
			neitherIsLost(t, ctl, 8*time.Second)
		})
	}
}

// neitherIsLost waits for a time that long in which the controller took neither the
// agent nor its worker for lost. At first it may, until they know how often to poll.
func neitherIsLost(t *testing.T, ctl string, long time.Duration) {
	t.Helper()
	began, since := time.Now(), time.Now()
	for time.Since(since) < long {
		time.Sleep(50 * time.Millisecond)
		var known struct{ State string }
		_, body := call(t, http.MethodGet, ctl+"/v1/agents/host", nil)
		if err := json.Unmarshal(body, &known); err != nil {
			t.Fatal(err)
		}
		if worker := workersOf(t, ctl)[0].State; known.State == "lost" || worker == "lost" {
			since = time.Now()
			if time.Since(began) > 40*time.Second {
				t.Fatalf("after 40 s still, the agent is %s, its worker %s", known.State, worker)
			}
		}
	}
}

func workersOf(t *testing.T, ctl string) []standing {
	t.Helper()
	var fleet struct{ Workers []standing }
	_, body := call(t, http.MethodGet, ctl+"/v1/namespaces/payments/fleet", nil)
	if err := json.Unmarshal(body, &fleet); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return fleet.Workers
}
