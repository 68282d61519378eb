package config

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestGoodbyeSaysOfWhom(t *testing.T) {
	for _, c := range []struct {
		stopped Stopped
		agent   bool
		ok      bool
	}{
		{Stopped{Worker: "w-1", Agent: "host-7", Namespace: "payments"}, false, true},
		{Stopped{Worker: "w-1", Namespace: "payments"}, false, true}, // the agent adds itself
		{Stopped{Agent: "host-7"}, true, true},
		{Stopped{}, true, false},
		{Stopped{Worker: "w-1", Agent: "host-7"}, false, false},
		{Stopped{Agent: "host-7", Namespace: "payments"}, false, false},
		{Stopped{Worker: "w 1", Agent: "host-7", Namespace: "payments"}, false, false},
		{Stopped{Worker: "w-1", Agent: "host-7", Namespace: "Payments"}, false, false},
		{Stopped{Agent: "host 7"}, true, false},
	} {
		if err := c.stopped.Check(); (err == nil) != c.ok || c.stopped.OfAgent() != c.agent {
			t.Errorf("%+v: %v, of an agent: %t", c.stopped, err, c.stopped.OfAgent())
		}
	}
}

func TestReportsNameOnlyWhatThereIs(t *testing.T) {
	at := time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)
	reports := Reports{Stopped: []Stopped{{Worker: "w-1", Agent: "host-7", Namespace: "payments", At: at}, {Agent: "host-7", At: at}}}
	body, err := json.Marshal(reports)
	want := `{"stopped":[{"worker":"w-1","agent":"host-7","namespace":"payments","at":"2026-08-21T12:00:00Z"},{"agent":"host-7","at":"2026-08-21T12:00:00Z"}]}`
	if err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
	if reports.Len() != 2 || strings.Contains(string(body), "applied") {
		t.Errorf("%d reports", reports.Len())
	}
}
