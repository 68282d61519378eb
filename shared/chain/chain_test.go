package chain_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/chain"
)

// The known hash holds the form of docs/protocol.md in place: it was worked out
// with nothing but printf and sha256sum.
func TestEntrySum(t *testing.T) {
	e := chain.Entry{
		Seq: 1, At: time.Date(2026, 11, 23, 17, 0, 0, 250e6, time.UTC), Actor: "alice", TokenID: "k3", Role: "admin",
		Action: "commit", Target: "payments@1", Outcome: "done", Detail: "put limits", Previous: strings.Repeat("0", 64),
	}
	if got, want := e.Sum(), "75a7894462e2b63bda17df01416e8446bd902f14ff05f9ba3f0b9e83eaf04edc"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if namespace, revision, ok := e.Commit(); namespace != "payments" || revision != 1 || !ok {
		t.Errorf("%s %d %v", namespace, revision, ok)
	}
	e.Previous = "no hash"
	if e.Sum() != "" {
		t.Error("what follows no hash has one")
	}
}

func TestCommitKeepsDocumentsToTheByte(t *testing.T) {
	body := `{"revision":2,"at":"2026-11-23T17:00:00.25Z","author":"alice","message":"why","hash":"h","previous":"` + strings.Repeat("0", 64) + `","changes":[` +
		`{"op":"put","name":"limits","etag":"e","mediaType":"application/json","value": {"rps": 1.0 } ` + "\n" + `},` +
		`{"op":"put","name":"one","etag":"e","mediaType":"application/json","value":1},` +
		`{"op":"put","name":"nothing","etag":"e","mediaType":"application/json","value":null},` +
		`{"op":"put","name":"motd","etag":"e","mediaType":"text/plain","text":"a \u00e9 b"},` +
		`{"op":"put","name":"key","etag":"e","mediaType":"application/octet-stream","base64":"AP8="},{"op":"delete","name":"old"}]}`
	c, err := chain.OpenCommit([]byte(body), "payments", "E")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{" {\"rps\": 1.0 } \n", "1", "null", "a é b", "\x00\xff", ""} {
		if got := string(c.Changes[i].Body); got != want {
			t.Errorf("%s: %q, want %q", c.Changes[i].Name, got, want)
		}
	}
	if got, want := c.Sum(), "97d2b454e7acbfcf1536d8ca00ca6a587e1861a0384848b90def17434394f5e5"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, bad := range []string{`{"changes":[{"base64":"!"}]}`, `{"changes":[1]}`, `[`} {
		if _, err := chain.OpenCommit([]byte(bad), "payments", "E"); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// entries makes a chain, newest first.
func entries(n int64) []chain.Entry {
	var made []chain.Entry
	previous := strings.Repeat("0", 64)
	for seq := range n {
		e := chain.Entry{Seq: seq + 1, At: time.Unix(seq, 0), Actor: "a", Previous: previous}
		e.Hash = e.Sum()
		previous = e.Hash
		made = append([]chain.Entry{e}, made...)
	}
	return made
}

func walk(all []chain.Entry, head chain.Head) (found []error) {
	w := chain.NewEntries(head)
	for _, e := range all {
		found = append(found, w.Next(e)...)
	}
	if err := w.End(); err != nil {
		found = append(found, err)
	}
	return found
}

func TestEntriesNamesWhatDoesNotFit(t *testing.T) {
	whole := entries(4)
	head := chain.Head{Seq: 4, Hash: whole[0].Hash}
	if found := walk(whole, head); len(found) > 0 {
		t.Fatal(found)
	}
	if found := walk(nil, chain.Head{Hash: strings.Repeat("0", 64)}); len(found) > 0 {
		t.Fatal("nothing yet:", found)
	}
	for name, c := range map[string]struct {
		does func(all []chain.Entry) []chain.Entry
		says string
	}{
		"changed":        {func(all []chain.Entry) []chain.Entry { all[1].Detail = "x"; return all }, "entry 3 (a  ) was changed"},
		"rewritten":      {func(all []chain.Entry) []chain.Entry { all[1].Detail = "x"; all[1].Hash = all[1].Sum(); return all }, "entry 3 is not the one that entry 4"},
		"left out":       {func(all []chain.Entry) []chain.Entry { return append(all[:1], all[2:]...) }, "entry 3 is missing"},
		"cut at the end": {func(all []chain.Entry) []chain.Entry { return all[2:] }, "entries 3 to 4 are missing"},
		"cut at the top": {func(all []chain.Entry) []chain.Entry { return all[:2] }, "entries 1 to 2 are missing"},
		"added":          {func(all []chain.Entry) []chain.Entry { return append(entries(5)[:1], all...) }, "stands behind the end"},
		"another first": {func(all []chain.Entry) []chain.Entry {
			all[3].Previous = all[0].Hash
			all[3].Hash = all[3].Sum()
			return all
		}, "entry 1 is not the first"},
	} {
		found := walk(c.does(entries(4)), head)
		if err := errors.Join(found...); err == nil || !errors.Is(err, chain.ErrBroken) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCommitsNamesWhatDoesNotFit(t *testing.T) {
	history := func() []chain.Commit {
		first := chain.Commit{Namespace: "n", Revision: 1, Previous: strings.Repeat("0", 64)}
		first.Hash = first.Sum()
		second := chain.Commit{Namespace: "n", Revision: 2, Previous: first.Hash}
		second.Hash = second.Sum()
		return []chain.Commit{second, first}
	}
	for name, c := range map[string]struct {
		does func(all []chain.Commit) []chain.Commit
		says string
	}{
		"whole":       {func(all []chain.Commit) []chain.Commit { return all }, ""},
		"changed":     {func(all []chain.Commit) []chain.Commit { all[1].Author = "x"; return all }, "revision 1 of n was changed"},
		"rewritten":   {func(all []chain.Commit) []chain.Commit { all[1].Author = "x"; all[1].Hash = all[1].Sum(); return all }, "revision 1 of n is not the one that revision 2"},
		"cut":         {func(all []chain.Commit) []chain.Commit { return all[:1] }, "revisions 1 to 1 of n are missing"},
		"none":        {func([]chain.Commit) []chain.Commit { return nil }, "n has no history"},
		"another one": {func(all []chain.Commit) []chain.Commit { return all[1:] }, "n has revision 1 where 2 belongs"},
	} {
		w := chain.NewCommits("n", 2)
		var found []error
		for _, commit := range c.does(history()) {
			found = append(found, w.Next(commit)...)
		}
		err := errors.Join(append(found, w.End())...)
		if (c.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := chain.NewCommits("n", 2)
	w.Skip(2)
	if found := errors.Join(append(w.Next(history()[1]), w.End())...); found != nil {
		t.Errorf("behind one that is missing: %v", found)
	}
}

func TestEntryIsReadAsItIsSaid(t *testing.T) {
	var e chain.Entry
	if err := json.Unmarshal([]byte(`{"seq":7,"token_id":"k","previous":"p","hash":"h"}`), &e); err != nil || e.Seq != 7 || e.TokenID != "k" {
		t.Error(e, err)
	}
}
