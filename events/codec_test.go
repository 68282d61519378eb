package events_test

import (
	"testing"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/shared/config"
)

func TestAHintNeedsItsNamespaceAlone(t *testing.T) {
	for payload, want := range map[string]events.ConfigChanged{
		`{"namespace":"payments"}`:                                {Namespace: "payments"},
		`{"namespace":"payments","revision":7,"unknown":[{}]}`:    {Namespace: "payments", Revision: 7},
		`{"namespace":"payments","revision":"7","epoch":7}`:       {Namespace: "payments"},
		`{"namespace":"payments","revision":-7}`:                  {Namespace: "payments"},
		`{"namespace":"payments","revision":1e30}`:                {Namespace: "payments"},
		`{"namespace":"payments","revision":9223372036854775807}`: {Namespace: "payments", Revision: 1<<63 - 1},
		`{"namespace":"payments","published_at":"yesterday"}`:     {Namespace: "payments"},
		`{"namespace":"payments","spread_ms":{},"etag":null}`:     {Namespace: "payments"},
		`{ "namespace" : "payments" }`:                            {Namespace: "payments"},
		`{"namespace":"other","namespace":"payments"}`:            {Namespace: "payments"},
	} {
		if got, ok := events.DecodeChanged([]byte(payload)); !ok || got != want {
			t.Errorf("%s: %+v, %v", payload, got, ok)
		}
	}
}

func TestWhatNamesNothingIsNothing(t *testing.T) {
	for _, payload := range []string{
		"", "{", "null", "7", "[]", `"payments"`, "{}", `{"namespace":null}`, `{"namespace":7}`, `{"namespace":""}`,
		`{"namespace":"Payments"}`, `{"namespace":"../payments"}`, `{"namespace":["payments"]}`,
		`{"Namespace":"payments"}`, `{"namespace":"payments"}{}`, "\xff\xfe", "\x00",
	} {
		if got, ok := events.DecodeChanged([]byte(payload)); ok {
			t.Errorf("%s is taken for %+v", payload, got)
		}
	}
	for _, payload := range []string{
		`{"namespace":"payments","revision":1}`, `{"agent":"host-7"}`, `{"agent":"../7","namespace":"payments"}`,
		`{"agent":7,"namespace":"payments"}`,
	} {
		if got, ok := events.DecodeFetched([]byte(payload)); ok {
			t.Errorf("%s is taken for %+v", payload, got)
		}
	}
	for _, payload := range []string{
		`{"namespace":"payments","revision":1,"status":"applied"}`,
		`{"worker":"w 1","namespace":"payments","revision":1,"status":"applied"}`,
		`{"worker":"w-1","revision":1,"status":"applied"}`,
		`{"worker":"w-1","namespace":"payments","status":"applied"}`,
		`{"worker":"w-1","namespace":"payments","revision":0,"status":"applied"}`,
		`{"worker":"w-1","namespace":"payments","revision":1}`,
		`{"worker":"w-1","namespace":"payments","revision":1,"status":"perhaps"}`,
	} {
		if got, ok := events.DecodeApplied([]byte(payload)); ok {
			t.Errorf("%s is taken for %+v", payload, got)
		}
	}
}

// Whatever others wrote, decoding does not fail, what it takes is usable, and
// what it took can be told on.
func FuzzDecode(f *testing.F) {
	for _, e := range []events.Event{changed, fetched, applied} {
		f.Add(events.Encode(e))
	}
	f.Add([]byte(`{"agent":"a","worker":"w","namespace":"n","revision":1,"status":"applied","at":"9999-12-31T23:59:59+00:01"}`))
	f.Add([]byte(`{"namespace":"n","published_at":"0000-01-01T00:00:00-23:59"}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if e, ok := events.DecodeChanged(payload); ok {
			again, ok := events.DecodeChanged(events.Encode(e))
			if _, err := config.ParseName(string(e.Namespace)); err != nil || !ok || again.ID() != e.ID() || e.Revision < 0 {
				t.Errorf("changed: %+v, again %+v, %v", e, again, ok)
			}
		}
		if e, ok := events.DecodeFetched(payload); ok {
			again, ok := events.DecodeFetched(events.Encode(e))
			if config.CheckAgentID(e.Agent) != nil || !ok || again.ID() != e.ID() || again.Topic() != e.Topic() {
				t.Errorf("fetched: %+v, again %+v, %v", e, again, ok)
			}
		}
		if e, ok := events.DecodeApplied(payload); ok {
			again, ok := events.DecodeApplied(events.Encode(e))
			if e.Check() != nil || !ok || again.ID() != e.ID() {
				t.Errorf("applied: %+v, again %+v, %v", e, again, ok)
			}
		}
	})
}
