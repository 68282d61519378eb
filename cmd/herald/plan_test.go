package main

import (
	"encoding/json"
	"testing"

	"github.com/heraldconf/herald/shared/config"
)

func entry(name, mediaType, body string, revision config.Revision) config.Entry {
	return config.Entry{Name: config.Name(name), Revision: revision, Document: config.Document{MediaType: mediaType, Body: []byte(body)}}
}

func snapshotAt(epoch config.Epoch, revision config.Revision, entries []config.Entry, gone ...config.Tombstone) *config.Snapshot {
	return config.Seal("payments", config.Position{Epoch: epoch, Revision: revision}, entries, gone)
}

func TestPlanHasWhatDiffers(t *testing.T) {
	held := snapshotAt("01J", 3, []config.Entry{
		entry("limits", "application/json", `{"rps":1}`, 1),
		entry("motd", "text/plain", "hello", 2),
		entry("old", "text/plain", "x", 3),
	})
	files := []file{
		{"limits", "limits.json", []byte(`{"rps":2}`)},
		{"motd", "motd.txt", []byte("hello")},
		{"new", "new.bin", []byte{0xff}},
	}
	p := planOf(held, files, false)
	if p.String() != "1 added, 1 changed, 0 removed" || join(p.unlisted) != "old" || len(p.changes) != 2 {
		t.Errorf("without prune: %s, unlisted %v", p, p.unlisted)
	}
	p = planOf(held, files, true)
	got, err := json.Marshal(p.changes)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"op":"put","name":"limits","mediaType":"application/json","text":"{\"rps\":2}"},` +
		`{"op":"put","name":"new","mediaType":"application/octet-stream","base64":"/w=="},{"op":"delete","name":"old"}]`
	if string(got) != want || len(p.unlisted) > 0 {
		t.Errorf("with prune:\n%s\nwant\n%s", got, want)
	}
}

func TestPlanOverNothingAddsAll(t *testing.T) {
	p := planOf(nil, []file{{"empty", "empty.txt", nil}, {"limits", "limits.json", []byte(" {}\n")}}, true)
	got, _ := json.Marshal(p.changes)
	want := `[{"op":"put","name":"empty","mediaType":"text/plain","text":""},` +
		`{"op":"put","name":"limits","mediaType":"application/json","text":" {}\n"}]`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestStepsTellWhatLedThere(t *testing.T) {
	held := snapshotAt("01J", 3, []config.Entry{entry("a", "text/plain", "1", 1), entry("b", "text/plain", "1", 2), entry("c", "text/plain", "1", 3)})
	newer := snapshotAt("01J", 7,
		[]config.Entry{entry("a", "text/plain", "2", 5), entry("b", "text/plain", "1", 2), entry("d", "text/plain", "1", 4), entry("e", "text/plain", "1", 7)},
		config.Tombstone{Name: "c", Revision: 5})
	got, _ := json.Marshal(stepsBetween(held, newer))
	want := `[{"namespace":"payments","revision":4,"added":["d"],"changed":[],"removed":[]},` +
		`{"namespace":"payments","revision":5,"added":[],"changed":["a"],"removed":["c"]},` +
		`{"namespace":"payments","revision":7,"added":["e"],"changed":[],"removed":[]}]`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestStepsAcrossEpochsAreOne(t *testing.T) {
	held := snapshotAt("01J", 9, []config.Entry{entry("a", "text/plain", "1", 8), entry("b", "text/plain", "1", 9)})
	newer := snapshotAt("01K", 2, []config.Entry{entry("a", "text/plain", "1", 2), entry("c", "text/plain", "1", 1)})
	got, _ := json.Marshal(stepsBetween(held, newer))
	if want := `[{"namespace":"payments","revision":2,"added":["c"],"changed":[],"removed":["b"]}]`; string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	got, _ = json.Marshal(stepsBetween(nil, newer))
	want := `[{"namespace":"payments","revision":1,"added":["c"],"changed":[],"removed":[]},` +
		`{"namespace":"payments","revision":2,"added":["a"],"changed":[],"removed":[]}]`
	if string(got) != want {
		t.Errorf("from nothing: %s\nwant\n%s", got, want)
	}
}
