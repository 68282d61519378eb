package domain_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

var (
	noon  = time.Date(2026, 8, 21, 12, 0, 0, 123_456_789, time.UTC)
	empty = domain.Namespace{Name: "payments", Position: config.Position{Epoch: "01E"}}
)

func put(name config.Name, body string) domain.Change {
	return domain.Change{Op: domain.Put, Name: name, Document: config.Document{MediaType: "application/json", Body: []byte(body)}}
}

func remove(name config.Name) domain.Change { return domain.Change{Op: domain.Delete, Name: name} }

func propose(changes ...domain.Change) domain.Proposal {
	return domain.Proposal{Author: "anonymous", Message: "why", Changes: changes}
}

// after makes commits of the proposals, one after another.
func after(t *testing.T, now domain.Namespace, proposals ...domain.Proposal) domain.Namespace {
	t.Helper()
	for _, p := range proposals {
		commit, err := domain.Revise(now, p, noon)
		if err != nil {
			t.Fatal(err)
		}
		now = now.After(commit)
	}
	return now
}

func TestFirstCommit(t *testing.T) {
	commit, err := domain.Revise(empty, propose(put("limits", `{"rps":50}`), put("banner", `"hi"`)), noon)
	if err != nil {
		t.Fatal(err)
	}
	if commit.Revision != 1 || commit.Epoch != "01E" || commit.Previous != (domain.Hash{}) || !commit.Changed() {
		t.Errorf("%+v", commit)
	}
	if commit.Changes[0].Name != "banner" || !commit.Changes[0].Creates {
		t.Errorf("changes are not in name order, or do not say that they create: %+v", commit.Changes)
	}
	if want := noon.Truncate(time.Millisecond); !commit.At.Equal(want) {
		t.Errorf("at %s, want %s: a store keeps whole milliseconds", commit.At, want)
	}
	next := empty.After(commit)
	if next.Revision != 1 || next.Head != commit.Hash || len(next.Configs) != 2 || next.Configs["limits"].Size != 10 {
		t.Errorf("%+v", next)
	}
	if len(empty.Configs) != 0 {
		t.Error("the namespace before was changed")
	}
}

func TestUnchangedMakesNoRevision(t *testing.T) {
	now := after(t, empty, propose(put("limits", `1`), put("other", `2`)))
	commit, err := domain.Revise(now, propose(put("limits", `1`)), noon)
	if err != nil || commit.Changed() || commit.Revision != now.Revision {
		t.Errorf("%+v, %v", commit, err)
	}
	commit, err = domain.Revise(now, propose(put("limits", `1`), put("other", `3`)), noon)
	if err != nil || len(commit.Changes) != 1 || commit.Changes[0].Name != "other" || commit.Changes[0].Creates {
		t.Errorf("only what differs belongs in a commit: %+v, %v", commit, err)
	}
	other := put("limits", `1`)
	other.MediaType = "text/plain"
	if commit, err = domain.Revise(now, propose(other), noon); err != nil || !commit.Changed() {
		t.Errorf("another media type is a change: %+v, %v", commit, err)
	}
}

func TestDeleteLeavesATombstone(t *testing.T) {
	now := after(t, empty, propose(put("limits", `1`), put("other", `2`)), propose(remove("limits")))
	if _, stands := now.Configs["limits"]; stands || now.Tombstones["limits"] != 2 || now.Revision != 2 {
		t.Errorf("%+v", now)
	}
	now = after(t, now, propose(put("limits", `1`)))
	if _, gone := now.Tombstones["limits"]; gone || now.Configs["limits"].Revision != 3 {
		t.Errorf("put again, the tombstone has to go: %+v", now)
	}
}

func TestRefusals(t *testing.T) {
	now := after(t, empty, propose(put("limits", `1`)), propose(put("other", `2`)))
	etag := now.Configs["limits"].ETag
	match := func(c domain.Condition, change domain.Change) domain.Proposal {
		p := propose(change)
		p.Match = &c
		return p
	}
	base := func(r config.Revision) domain.Proposal {
		p := propose(put("limits", `3`))
		p.Base = &r
		return p
	}
	big := make([]byte, config.MaxDocument+1)
	for _, c := range []struct {
		name string
		p    domain.Proposal
		want error
	}{
		{"nothing", propose(), domain.ErrEmptyCommit},
		{"a name twice", propose(put("a", `1`), put("a", `2`)), domain.ErrEmptyCommit},
		{"delete what is not there", propose(remove("nobody")), domain.ErrNotFound},
		{"delete what is not there, matching", match(domain.Condition{IfMatch: &domain.Tags{Any: true}}, remove("nobody")), domain.ErrNotFound},
		{"base as it stands", base(2), nil},
		{"base behind", base(1), domain.ErrStaleBase},
		{"base ahead", base(3), domain.ErrStaleBase},
		{"a document too large", propose(put("big", string(big))), domain.ErrTooLarge},
		{"match", match(domain.Condition{IfMatch: &domain.Tags{List: []config.ETag{"x", etag}}}, put("limits", `3`)), nil},
		{"match any", match(domain.Condition{IfMatch: &domain.Tags{Any: true}}, put("limits", `3`)), nil},
		{"match another", match(domain.Condition{IfMatch: &domain.Tags{List: []config.ETag{"x"}}}, put("limits", `3`)), domain.ErrPrecondition},
		{"match none at all", match(domain.Condition{IfMatch: &domain.Tags{}}, put("limits", `3`)), domain.ErrPrecondition},
		{"match what is not there", match(domain.Condition{IfMatch: &domain.Tags{Any: true}}, put("new", `3`)), domain.ErrPrecondition},
		{"match another, unchanged", match(domain.Condition{IfMatch: &domain.Tags{List: []config.ETag{"x"}}}, put("limits", `1`)), domain.ErrPrecondition},
		{"create", match(domain.Condition{IfNoneMatch: &domain.Tags{Any: true}}, put("new", `3`)), nil},
		{"create what is there", match(domain.Condition{IfNoneMatch: &domain.Tags{Any: true}}, put("limits", `3`)), domain.ErrPrecondition},
		{"anything but this", match(domain.Condition{IfNoneMatch: &domain.Tags{List: []config.ETag{etag}}}, put("limits", `3`)), domain.ErrPrecondition},
		{"anything but that", match(domain.Condition{IfNoneMatch: &domain.Tags{List: []config.ETag{"x"}}}, put("limits", `3`)), nil},
		{"delete if it matches", match(domain.Condition{IfMatch: &domain.Tags{List: []config.ETag{"x"}}}, remove("limits")), domain.ErrPrecondition},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := domain.Revise(now, c.p, noon); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestNamespaceLimits(t *testing.T) {
	now := empty
	full := string(make([]byte, config.MaxDocument))
	for i := range 8 {
		now = after(t, now, propose(put(config.Name(fmt.Sprintf("c%d", i)), full)))
	}
	if _, err := domain.Revise(now, propose(put("more", `1`)), noon); !errors.Is(err, domain.ErrTooLarge) {
		t.Errorf("a ninth MiB: %v", err)
	}
	if _, err := domain.Revise(now, propose(put("more", `1`), remove("c0")), noon); err != nil {
		t.Errorf("what the commit itself makes room for: %v", err)
	}

	now = empty
	now.Tombstones = map[config.Name]config.Revision{}
	for i := range config.MaxNames {
		now.Tombstones[config.Name(fmt.Sprintf("t%d", i))] = 1
	}
	if _, err := domain.Revise(now, propose(put("more", `1`)), noon); !errors.Is(err, domain.ErrTooLarge) {
		t.Errorf("a name too many: %v", err)
	}
	if _, err := domain.Revise(now, propose(put("t0", `1`)), noon); err != nil {
		t.Errorf("a name that has a tombstone already: %v", err)
	}
}

// TestChain: the hash of a commit covers all that it says and all before it.
func TestChain(t *testing.T) {
	first, err := domain.Revise(empty, propose(put("limits", `1`)), noon)
	if err != nil {
		t.Fatal(err)
	}
	second, err := domain.Revise(empty.After(first), propose(put("limits", `2`), put("more", `3`)), noon)
	if err != nil {
		t.Fatal(err)
	}
	if second.Previous != first.Hash || second.Hash != second.Sum() {
		t.Error("the second does not stand on the first")
	}
	for name, change := range map[string]func(*domain.Commit){
		"epoch":     func(c *domain.Commit) { c.Epoch = "01F" },
		"namespace": func(c *domain.Commit) { c.Namespace = "other" },
		"revision":  func(c *domain.Commit) { c.Revision++ },
		"time":      func(c *domain.Commit) { c.At = c.At.Add(time.Millisecond) },
		"author":    func(c *domain.Commit) { c.Author = "mallory" },
		"message":   func(c *domain.Commit) { c.Message += "!" },
		"boundary":  func(c *domain.Commit) { c.Author, c.Message = c.Author+c.Message[:1], c.Message[1:] },
		"previous":  func(c *domain.Commit) { c.Previous[0]++ },
		"document":  func(c *domain.Commit) { c.Changes = []domain.Change{put("limits", `9`), c.Changes[1]} },
		"name":      func(c *domain.Commit) { c.Changes = []domain.Change{put("limitz", `2`), c.Changes[1]} },
		"op":        func(c *domain.Commit) { c.Changes = []domain.Change{remove("limits"), c.Changes[1]} },
		"omission":  func(c *domain.Commit) { c.Changes = c.Changes[:1] },
	} {
		forged := second
		change(&forged)
		if forged.Sum() == second.Hash {
			t.Errorf("%s is not covered by the hash", name)
		}
	}
}

// TestReviseHolds are the properties of any history: revisions without gaps, a
// chain without breaks, a name that never both stands and is deleted.
func TestReviseHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := empty
		for range rapid.IntRange(1, 20).Draw(t, "commits") {
			names := rapid.SliceOfNDistinct(rapid.SampledFrom([]config.Name{"a", "b", "c", "d"}), 1, 3, rapid.ID).Draw(t, "names")
			var changes []domain.Change
			for _, name := range names {
				if rapid.Bool().Draw(t, "put") {
					changes = append(changes, put(name, rapid.SampledFrom([]string{"1", "2"}).Draw(t, "body")))
				} else {
					changes = append(changes, remove(name))
				}
			}
			commit, err := domain.Revise(now, propose(changes...), noon)
			if err != nil {
				continue
			}
			if !commit.Changed() {
				if commit.Revision != now.Revision {
					t.Fatal("a commit without changes has a revision of its own")
				}
				continue
			}
			if commit.Revision != now.Revision+1 || commit.Previous != now.Head || commit.Hash != commit.Sum() {
				t.Fatalf("a gap or a break: %+v after %+v", commit, now)
			}
			now = now.After(commit)
			for name := range now.Configs {
				if _, both := now.Tombstones[name]; both {
					t.Fatalf("%s both stands and is deleted", name)
				}
			}
		}
	})
}
