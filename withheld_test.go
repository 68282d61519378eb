package herald_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/config"
)

// A refusal is what the controller knows that an agent refuses of payments.
type refusal struct {
	Epoch    config.Epoch    `json:"epoch"`
	Revision config.Revision `json:"revision"`
	Code     string          `json:"code"`
}

// refused waits until the controller knows that the agent refuses something for
// that reason, or nothing for "".
func refused(t *testing.T, ctl, agent, code string) refusal {
	t.Helper()
	var last []byte
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		var known struct {
			Rejected map[string]refusal `json:"rejected"`
		}
		_, last = call(t, http.MethodGet, ctl+"/v1/agents/"+agent, nil)
		if err := json.Unmarshal(last, &known); err != nil {
			t.Fatal(err)
		}
		if known.Rejected["payments"].Code == code && strings.Contains(string(last), `"id":"`+agent) {
			return known.Rejected["payments"]
		}
	}
	t.Fatalf("the controller does not know of %s that it refuses for %q: %s", agent, code, last)
	return refusal{}
}

func accept(t *testing.T, ctl, agent string, r refusal) int {
	t.Helper()
	body := fmt.Sprintf(`{"namespace":"payments","epoch":%q,"revision":%d}`, r.Epoch, r.Revision)
	answer, _ := call(t, http.MethodPost, ctl+"/v1/agents/"+agent+"/accept", []byte(body))
	return answer.StatusCode
}

// TestWhatNobodySignedIsToldUpward, of an agent that has pinned another
// controller's key; and nobody lets it through.
func TestWhatNobodySignedIsToldUpward(t *testing.T) {
	ctl, stop := startController(t, filepath.Join(t.TempDir(), "controller.db"))
	way := standBetween(t, ctl)
	put(t, ctl, "payments/configs/limits", `{"rps":1}`)
	host, _ := startAgent(t, "host", way.URL, t.TempDir(), "")
	serves(t, host, `"rps":1`)
	stop()
	other, _ := startController(t, filepath.Join(t.TempDir(), "controller.db"))
	put(t, other, "payments/configs/limits", `{"rps":3}`)
	way.lead(t, other)
	r := refused(t, other, "host", "signature")
	if r.Revision != 1 {
		t.Errorf("it refuses %+v", r)
	}
	if code := accept(t, other, "host", r); code != http.StatusPreconditionFailed {
		t.Errorf("accepted with %d", code)
	}
	serves(t, host, `"rps":1`)
}

// TestAnAgentBehindRelaysHearsOfItsAcceptance, whose registrations the relays
// answer from memory: within a few poll intervals, not within the hour.
func TestAnAgentBehindRelaysHearsOfItsAcceptance(t *testing.T) {
	for _, relays := range []int{1, 2} {
		t.Run(fmt.Sprint(relays), func(t *testing.T) { acceptBehind(t, relays) })
	}
}

// startRelays starts so many agents above each other, and returns the lowest.
func startRelays(t *testing.T, upstream string, relays int) (lowest string, stop func()) {
	t.Helper()
	var stops []func()
	for i := range relays {
		upstream, stop = startAgent(t, fmt.Sprint("relay-", i), upstream, t.TempDir(), "")
		stops = append(stops, stop)
	}
	return upstream, func() {
		for _, stop := range slices.Backward(stops) {
			stop()
		}
	}
}

func acceptBehind(t *testing.T, relays int) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "signing.key")
	start := func() (string, func()) {
		db := filepath.Join(t.TempDir(), "controller.db")
		return started(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
			return controller.Run(ctx, controller.Config{Listener: listener, DB: db, SigningKey: key, PollInterval: 200 * time.Millisecond}, log)
		})
	}
	ctl, stopController := start()
	for _, name := range []string{"limits", "a", "b", "c"} {
		put(t, ctl, "payments/configs/"+name, `{"rps":1}`)
	}
	relay, stopRelays := startRelays(t, ctl, relays)
	way := standBetween(t, relay)
	host, _ := startAgent(t, "host", way.URL, t.TempDir(), "")
	serves(t, host, `"c"`)
	stopRelays()
	stopController()

	// A new database, with the same key, and relays that have nothing to compare with.
	ctl, _ = start()
	put(t, ctl, "payments/configs/limits", `{"rps":2}`)
	relay, _ = startRelays(t, ctl, relays)
	serves(t, relay, `"rps":2`)
	way.lead(t, relay)
	r := refused(t, ctl, "host", "shrunk")
	serves(t, host, `"c"`)
	if code := accept(t, ctl, "host", r); code != http.StatusOK {
		t.Fatalf("not accepted: %d", code)
	}
	if got := serves(t, host, `"rps":2`).Get("Herald-Accepted"); got != "true" {
		t.Errorf("Herald-Accepted: %q", got)
	}
	refused(t, ctl, "host", "")
}
