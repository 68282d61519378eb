package events_test

import (
	"testing"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/shared/config"
)

var (
	noon    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	changed = events.ConfigChanged{
		Namespace: "payments", Revision: 42, Epoch: "01JD", ETag: "k3x", SpreadMS: 500, PublishedAt: noon,
	}
	fetched = events.ConfigFetched{Fetched: config.Fetched{
		Agent: "host-7", Namespace: "payments", Revision: 42, Epoch: "01JD", At: noon,
	}}
	applied = events.ConfigApplied{Verdict: config.Verdict{
		Worker: "w-1", Agent: "host-7", Namespace: "payments", Revision: 42, Epoch: "01JD",
		Status: config.Rejected, Code: "decode", Message: "no url", At: noon, TookMS: 7,
	}}
)

// The names and the members are read by scripts and other languages.
func TestFactsAsOthersReadThem(t *testing.T) {
	for _, c := range []struct {
		event              events.Event
		topic, id, payload string
	}{
		{
			changed, "config-changed", "payments@42",
			`{"namespace":"payments","revision":42,"epoch":"01JD","etag":"k3x","spread_ms":500,"published_at":"2026-11-23T12:00:00Z"}`,
		},
		{events.ConfigChanged{Namespace: "payments"}, "config-changed", "payments@0", `{"namespace":"payments"}`},
		{
			fetched, "config-fetched.host-7", "host-7/payments@42",
			`{"agent":"host-7","namespace":"payments","revision":42,"epoch":"01JD","at":"2026-11-23T12:00:00Z"}`,
		},
		{
			applied, "config-applied", "w-1/payments@42/rejected",
			`{"worker":"w-1","agent":"host-7","namespace":"payments","revision":42,"epoch":"01JD","status":"rejected",` +
				`"code":"decode","message":"no url","at":"2026-11-23T12:00:00Z","took_ms":7}`,
		},
	} {
		if got := c.event.Topic(); got != c.topic {
			t.Errorf("topic is %s, not %s", got, c.topic)
		}
		if got := c.event.ID(); got != c.id {
			t.Errorf("ID is %s, not %s", got, c.id)
		}
		if got := string(events.Encode(c.event)); got != c.payload {
			t.Errorf("payload is\n%s, not\n%s", got, c.payload)
		}
	}
}

func TestDecodedIsWhatWasEncoded(t *testing.T) {
	if got, ok := events.DecodeChanged(events.Encode(changed)); !ok || got != changed {
		t.Errorf("%+v, %v", got, ok)
	}
	if got, ok := events.DecodeFetched(events.Encode(fetched)); !ok || got != fetched {
		t.Errorf("%+v, %v", got, ok)
	}
	if got, ok := events.DecodeApplied(events.Encode(applied)); !ok || got != applied {
		t.Errorf("%+v, %v", got, ok)
	}
}

func TestSpreadIsBounded(t *testing.T) {
	for ms, want := range map[int64]time.Duration{
		-1: 0, 0: 0, 500: 500 * time.Millisecond, 10_000: 10 * time.Second,
		10_001: 10 * time.Second, 1 << 62: 10 * time.Second, -1 << 63: 0,
	} {
		if got := (events.ConfigChanged{SpreadMS: ms}).Spread(); got != want {
			t.Errorf("spread of %d ms is %v, not %v", ms, got, want)
		}
	}
}

func TestPosition(t *testing.T) {
	if got := changed.Position(); got != (config.Position{Epoch: "01JD", Revision: 42}) {
		t.Errorf("it stands at %+v", got)
	}
}
