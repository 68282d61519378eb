package domain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// of makes a snapshot of documents, written NAME=TEXT; -NAME is a tombstone.
func of(epoch config.Epoch, revision config.Revision, changed config.Revision, documents ...string) *config.Snapshot {
	var entries []config.Entry
	var tombstones []config.Tombstone
	for _, text := range documents {
		name, body, stands := strings.Cut(text, "=")
		if !stands {
			tombstones = append(tombstones, config.Tombstone{Name: config.Name(name[1:]), Revision: changed})
			continue
		}
		entries = append(entries, config.Entry{Name: config.Name(name), Revision: changed, Document: config.Document{MediaType: "text/plain", Body: []byte(body)}})
	}
	return config.Seal("payments", config.Position{Epoch: epoch, Revision: revision}, entries, tombstones)
}

func TestWhatMayFollow(t *testing.T) {
	held := of("01B", 9, 5, "a=1234", "b=1234", "c=1234", "d=1234")
	for _, c := range []struct {
		name string
		next *config.Snapshot
		want error
		code string
	}{
		{"forced: all but one are deleted", of("01B", 10, 10, "a=1234", "-b", "-c", "-d"), nil, ""},
		{"forced: emptied", of("01B", 10, 10, "a=", "b=", "c=", "d="), nil, ""},
		{"rewritten under its revision", of("01B", 10, 5, "a=1234", "b=1234", "c=1234", "d=9999"), ErrRewritten, "rewritten"},
		{"back to an older revision", of("01B", 10, 4, "a=1234", "b=1234", "c=1234", "d=1234"), ErrRewritten, "rewritten"},
		{"vanished", of("01B", 10, 5, "a=1234", "b=1234", "c=1234"), config.ErrVanished, "vanished"},
		{"older", of("01B", 8, 5, "a=1234", "b=1234", "c=1234", "d=1234"), config.ErrOlder, "older"},
		{"restored, half is there", of("01C", 3, 2, "a=1234", "b=1234"), nil, ""},
		{"restored, less than half", of("01C", 3, 2, "a=1234"), ErrShrunk, "shrunk"},
		{"restored, less than half, and that has grown", of("01C", 3, 2, "a=12345678901234567890"), ErrShrunk, "shrunk"},
		{"restored, less than half, deleted on purpose", of("01C", 3, 2, "a=1234", "-b", "-c", "-d"), nil, ""},
		{"restored, less than half of the bytes", of("01C", 3, 2, "a=1", "b=1", "c=1", "d=1234"), ErrShrunk, "shrunk"},
		{"restored, one is empty", of("01C", 3, 2, "a={ }", "b=1234", "c=1234", "d=1234"), ErrShrunk, "shrunk"},
		{"a new database", of("01C", 1, 1), ErrShrunk, "shrunk"},
	} {
		h := Restored(held, noon)
		_, err := h.Accept(Answer{Snapshot: c.next}, noon)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		after := h.Observe(Answer{Snapshot: c.next}, err, noon)
		if (after.Withheld == nil) != (err == nil) || (err != nil && (after.Withheld.Code != c.code || after.Withheld.Position != c.next.Position)) {
			t.Errorf("%s: withheld %+v", c.name, after.Withheld)
		}
		accepted := *c.next
		accepted.Accepted = true
		if _, err := h.Accept(Answer{Snapshot: &accepted}, noon); (err == nil) != (c.code != "older") {
			t.Errorf("%s, accepted: %v", c.name, err)
		}
	}
	two := Restored(of("01B", 9, 5, "a=1234", "b=1234"), noon)
	if _, err := two.Accept(Answer{Snapshot: of("01C", 1, 1, "a=1")}, noon); err != nil {
		t.Errorf("of two configs one: %v", err)
	}
	if _, err := two.Accept(Answer{Snapshot: of("01C", 1, 1)}, noon); !errors.Is(err, ErrShrunk) {
		t.Errorf("of two configs none: %v", err)
	}
}

func TestWhatIsWithheldIsToldOnce(t *testing.T) {
	h := Restored(of("01B", 9, 5, "a=1"), noon)
	next := of("01C", 1, 1)
	pull := func(at time.Time) {
		_, err := h.Accept(Answer{Snapshot: next}, at)
		h = h.Observe(Answer{Snapshot: next}, err, at)
	}
	pull(noon)
	first := h.Withheld
	if pull(noon.Add(time.Minute)); h.Withheld != first {
		t.Error("told again")
	}
	if h = h.Observe(Answer{}, errors.New("refused"), noon); h.Withheld != first {
		t.Error("an outage lets it through")
	}
	good := Acceptance{Namespace: "payments", Position: next.Position, ETag: next.Digest.ETag()}
	other := good
	other.ETag = "another"
	if !good.Of(first) || other.Of(first) || good.Of(nil) {
		t.Error("an acceptance is of that very snapshot")
	}
	if h = h.Observe(Answer{}, nil, noon); h.Withheld != nil {
		t.Error("upstream has what is held, and yet something is withheld")
	}
	for _, a := range []Answer{{}, {Snapshot: next}} {
		h = h.Observe(a, config.ErrSignature, noon)
		if w := h.Withheld; w == nil || w.Code != "signature" || w.Acceptable() || w.Snapshot != nil || (a.Snapshot != nil && w.Position != next.Position) {
			t.Errorf("unsigned: %+v", w)
		}
	}
	// What was let through while it was refused once more is not refused.
	h.Snapshot = next
	if h = h.Observe(Answer{Snapshot: next}, ErrShrunk, noon); h.Withheld != nil {
		t.Errorf("held and withheld at once: %+v", h.Withheld)
	}
}
