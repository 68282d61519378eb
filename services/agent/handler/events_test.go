package handler

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/telemetry"
)

// A nudged is an upstream whose pullers note what they are nudged about.
type nudged struct{ positions []string }

func (n *nudged) Puller(config.Name, func(context.Context, domain.Answer) error, func(domain.Answer, error)) usecase.Puller {
	return n
}
func (n *nudged) Run(context.Context, *config.Snapshot) {}
func (n *nudged) Nudge(at config.Position, spread time.Duration) {
	n.positions = append(n.positions, fmt.Sprint(at.Epoch, at.Revision, spread))
}

// nowhere is a disk that holds nothing.
type nowhere struct{}

func (nowhere) Keep(*config.Snapshot, time.Time) error { return nil }
func (nowhere) Load(config.Name) domain.Holding        { return domain.Holding{} }
func (nowhere) Check() error                           { return nil }
func (nowhere) KeepInterval(time.Duration) error       { return nil }
func (nowhere) Interval() time.Duration                { return 0 }

func TestNotificationsBecomeNudges(t *testing.T) {
	n := &nudged{}
	syncer := usecase.NewSyncer(n, nowhere{}, func(*config.Snapshot) {}, slog.New(slog.DiscardHandler))
	if err := syncer.Follow("payments"); err != nil {
		t.Fatal(err)
	}
	none, err := bus.Open("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := &Handler{Syncer: syncer, Bus: none, Metrics: telemetry.NewRegistry()}
	h.Routes()
	for _, payload := range []string{
		`{"namespace":"payments"}`,
		`{"namespace":"payments","revision":7,"epoch":"01A","spread_ms":250,"etag":1,"unknown":{}}`,
		`{"namespace":"payments","revision":"7","spread_ms":99999999}`,
		`{"namespace":"search"}`, `{"namespace":"PAYMENTS"}`, `{}`, `[]`, `{`, ``, "\xff",
	} {
		h.configChanged(t.Context(), []byte(payload))
	}
	if got, want := fmt.Sprint(n.positions), "[0 0s 01A7 250ms 0 10s]"; got != want {
		t.Errorf("nudged %s, want %s", got, want)
	}
	for outcome, want := range map[string]float64{"nudged": 3, "not_followed": 1, "unreadable": 6} {
		if got := testutil.ToFloat64(h.events.WithLabelValues("config-changed", outcome)); got != want {
			t.Errorf("%v %s, want %v", got, outcome, want)
		}
	}
	// A bus that goes away makes every puller ask anew, so that it holds.
	h.BusChanged(bus.Down)
	h.BusChanged(bus.OK)
	if len(n.positions) != 4 {
		t.Errorf("nudged %v", n.positions)
	}
}
