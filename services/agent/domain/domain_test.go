package domain

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(epoch config.Epoch, revision config.Revision, names ...config.Name) *config.Snapshot {
	var entries []config.Entry
	for _, name := range names {
		entries = append(entries, config.Entry{Name: name, Revision: revision, Document: config.Document{MediaType: "application/json", Body: []byte("{}")}})
	}
	return config.Seal("payments", config.Position{Epoch: epoch, Revision: revision}, entries, nil)
}

func TestAcceptMovesForwardOnly(t *testing.T) {
	held := Restored(at("01B", 5, "limits"), noon)
	for _, c := range []struct {
		name string
		next *config.Snapshot
		want error
	}{
		{"newer", at("01B", 6, "limits"), nil},
		{"the same revision", at("01B", 5, "limits"), nil},
		{"older", at("01B", 4, "limits"), config.ErrOlder},
		{"a later epoch, another config", at("01C", 1, "motd"), nil},
		{"an earlier epoch", at("01A", 9, "limits"), config.ErrOlder},
		{"vanished without a tombstone", at("01B", 6), config.ErrVanished},
	} {
		got, err := held.Accept(Answer{Snapshot: c.next}, noon.Add(time.Minute))
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		if err != nil && got != held {
			t.Errorf("%s: refused, and yet something changed", c.name)
		}
		if err == nil && (got.Snapshot != c.next || got.Stale || !got.Confirmed.Equal(noon.Add(time.Minute))) {
			t.Errorf("%s: holding %+v", c.name, got)
		}
	}
}

func TestObserveTakesNothingAway(t *testing.T) {
	held := Restored(at("01B", 5), noon)
	if !held.Stale || held.Check() != nil {
		t.Errorf("from disk: %+v", held)
	}
	fresh := held.Observe(Answer{}, nil, noon.Add(time.Second))
	if fresh.Stale || fresh.Age(noon.Add(4*time.Second)) != 3*time.Second {
		t.Errorf("confirmed: %+v", fresh)
	}
	for _, err := range []error{errors.New("refused"), fmt.Errorf("404: %w", ErrAbsent)} {
		failed := fresh.Observe(Answer{}, err, noon.Add(time.Minute))
		if !failed.Stale || failed.Absent || failed.Snapshot != held.Snapshot || failed.Err == nil || failed.Age(noon.Add(61*time.Second)) != time.Minute {
			t.Errorf("after %v: %+v", err, failed)
		}
		if again := failed.Observe(Answer{}, nil, noon.Add(2*time.Minute)); again.Stale || again.Err != nil {
			t.Errorf("works again: %+v", again)
		}
	}
}

func TestAgeAddsUpOverRelays(t *testing.T) {
	h, err := Holding{}.Accept(Answer{Snapshot: at("01B", 5), Age: 7 * time.Second, Stale: true}, noon)
	if err != nil || !h.Stale || h.Age(noon.Add(time.Second)) != 8*time.Second {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestNothingHeld(t *testing.T) {
	unknown := Holding{}
	if !errors.Is(unknown.Check(), ErrUnavailable) {
		t.Error("what was never asked for is unavailable")
	}
	absent := unknown.Observe(Answer{}, ErrAbsent, noon)
	if !errors.Is(absent.Check(), ErrAbsent) || absent.Err != nil || absent.Stale || !absent.Known {
		t.Errorf("absent: %+v", absent)
	}
	failed := absent.Observe(Answer{}, errors.New("refused"), noon)
	if !errors.Is(failed.Check(), ErrUnavailable) || failed.Err == nil {
		t.Errorf("failed: %+v", failed)
	}
}

func TestLabels(t *testing.T) {
	labels, err := ParseLabels([]string{"zone=a", " role=web", "note=a=b", "empty="})
	if err != nil || labels["zone"] != "a" || labels["role"] != "web" || labels["note"] != "a=b" || len(labels) != 4 {
		t.Errorf("%v, %v", labels, err)
	}
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("k%d=v", i)
	}
	for _, bad := range [][]string{{"zone"}, {"=a"}, {"a=1", "a=2"}, {""}, many} {
		if _, err := ParseLabels(bad); err == nil {
			t.Errorf("%v passed", bad)
		}
	}
}

func TestUpstreamState(t *testing.T) {
	s := UpstreamState{}.Observe("http://a", nil, noon)
	s = s.Observe("http://b", errors.New("refused"), noon.Add(time.Second))
	if s.OK || s.URL != "http://b" || s.LastError != "refused" || !s.LastSuccess.Equal(noon) {
		t.Errorf("%+v", s)
	}
}
