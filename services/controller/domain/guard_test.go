package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// guarded is a namespace with the default guards, and configs of these sizes: c0, c1 …
func guarded(t *testing.T, sizes ...int) domain.Namespace {
	t.Helper()
	p := domain.Proposal{Force: true}
	for i, size := range sizes {
		p.Changes = append(p.Changes, sized(i, size))
	}
	now := domain.Namespace{Name: "payments", Settings: domain.DefaultSettings}
	commit, err := domain.Revise(now, p, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return now.After(commit)
}

func sized(i, size int) domain.Change {
	body := strings.Repeat("x", size)
	return domain.Change{Op: domain.Put, Name: config.Name(fmt.Sprintf("c%d", i)), Document: config.Document{MediaType: "text/plain", Body: []byte(body)}}
}

func deletion(i int) domain.Change {
	return domain.Change{Op: domain.Delete, Name: config.Name(fmt.Sprintf("c%d", i))}
}

func TestMassChange(t *testing.T) {
	even := []int{100, 100, 100, 100}
	for _, c := range []struct {
		name    string
		sizes   []int
		changes []domain.Change
		held    string // what the refusal says, "" for none
	}{
		{"three configs are too few to guard", []int{9, 9, 9}, []domain.Change{deletion(0), deletion(1), deletion(2)}, ""},
		{"half of them may go", even, []domain.Change{deletion(0), deletion(1)}, ""},
		{"more than half may not", even, []domain.Change{deletion(0), deletion(1), deletion(2)}, "3 of 4 configs would be deleted"},
		{"what is new makes up for nothing", even, []domain.Change{deletion(0), deletion(1), deletion(2), sized(7, 900)}, "3 of 4 configs"},
		{"one that has most of the bytes", []int{1, 1, 1, 97}, []domain.Change{deletion(3)}, "3 of 100 bytes would be left"},
		{"one that shrinks", []int{1, 1, 1, 97}, []domain.Change{sized(3, 46)}, "49 of 100 bytes would be left"},
		{"half of the bytes may go", []int{1, 1, 1, 97}, []domain.Change{sized(3, 47)}, ""},
		{"new bytes beside it", []int{1, 1, 1, 97}, []domain.Change{sized(3, 46), sized(8, 500)}, "49 of 100 bytes"},
		{"growth elsewhere in what stood", []int{1, 1, 1, 97}, []domain.Change{sized(3, 46), sized(0, 500)}, ""},
	} {
		now := guarded(t, c.sizes...)
		_, err := domain.Revise(now, domain.Proposal{Changes: c.changes}, time.Now())
		if c.held == "" != (err == nil) || (c.held != "" && (!errors.Is(err, domain.ErrGuardMassChange) || !strings.Contains(err.Error(), c.held))) {
			t.Errorf("%s: %v, want %q", c.name, err, c.held)
		}
		if made, err := domain.Revise(now, domain.Proposal{Changes: c.changes, Force: true}, time.Now()); err != nil || !made.Changed() {
			t.Errorf("%s, forced: %v", c.name, err)
		}
		now.Settings.Guards = domain.Guards{}
		if _, err := domain.Revise(now, domain.Proposal{Changes: c.changes}, time.Now()); err != nil {
			t.Errorf("%s, without guards: %v", c.name, err)
		}
	}
}

// TestRefusalListsWhatWouldGo: each config, but not without end, and how to pass.
func TestRefusalListsWhatWouldGo(t *testing.T) {
	now := guarded(t, make([]int, 150)...)
	var p domain.Proposal
	for i := range 150 {
		p.Changes = append(p.Changes, deletion(i))
	}
	_, err := domain.Revise(now, p, time.Now())
	faulty, ok := errors.AsType[*config.FaultyDocument](err)
	if !ok || len(faulty.Faults) != 101 || faulty.Faults[0] != (config.Fault{Path: "/c0", Message: "would be deleted, with 0 bytes"}) || faulty.Faults[100].Message != "and 50 more" {
		t.Fatalf("%v", err)
	}
	if !strings.Contains(err.Error(), "--force") {
		t.Errorf("%v does not say how to pass it", err)
	}
}

func TestEmptied(t *testing.T) {
	documents := func(mediaType string, bodies ...string) (all []config.Document) {
		for _, body := range bodies {
			all = append(all, config.Document{MediaType: mediaType, Body: []byte(body)})
		}
		return all
	}
	empty := append(documents("application/json", `{}`, ` { } `, `[]`, "[\n]", `""`, `null`), documents("text/plain", "", " \n", "{}")...)
	empty = append(empty, documents("application/yaml", "# all gone\n", "---\n", "~", "{}")...)
	empty = append(empty, documents("application/toml", "", "# none\n  # at all\n")...)
	full := append(documents("application/json", `0`, `false`, `" "`, `{"a":{}}`, `[[]]`), documents("text/plain", "# a heading", "{", "[}")...)
	full = append(full, documents("application/yaml", "a: # none\n")...)
	for _, d := range empty {
		if !domain.Empty(d) {
			t.Errorf("%s %q says something", d.MediaType, d.Body)
		}
		emptying(t, d, full[0], nil)
		emptying(t, d, empty[0], nil)
		for _, before := range full {
			emptying(t, before, d, domain.ErrGuardEmpty)
		}
	}
	for _, d := range full {
		if domain.Empty(d) {
			t.Errorf("%s %q says nothing", d.MediaType, d.Body)
		}
	}
}

// emptying puts one document over another.
func emptying(t *testing.T, before, after config.Document, want error) {
	t.Helper()
	now := domain.Namespace{Name: "payments", Settings: domain.DefaultSettings}
	first, err := domain.Revise(now, domain.Proposal{Changes: []domain.Change{{Op: domain.Put, Name: "limits", Document: before}}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	now = now.After(first)
	p := domain.Proposal{Changes: []domain.Change{{Op: domain.Put, Name: "limits", Document: after}}}
	if _, err := domain.Revise(now, p, time.Now()); !errors.Is(err, want) {
		t.Errorf("%q over %q: %v, want %v", after.Body, before.Body, err, want)
	}
	p.Force = true
	if _, err := domain.Revise(now, p, time.Now()); err != nil {
		t.Errorf("%q over %q, forced: %v", after.Body, before.Body, err)
	}
}

func TestFreeze(t *testing.T) {
	now := guarded(t, 1)
	at := now.UpdatedAt
	now.Settings.FrozenUntil, now.Settings.Reason = at.Add(time.Hour), "the sale"
	p := domain.Proposal{Changes: []domain.Change{sized(0, 2)}, Force: true}
	for _, c := range []struct {
		actor domain.Actor
		at    time.Time
		held  bool
	}{
		{domain.Actor{Name: "pub", TokenID: "t", Role: domain.Publisher}, at, true},
		{domain.Actor{Name: "pub", TokenID: "t", Role: domain.Publisher}, at.Add(time.Hour), false},
		{domain.Actor{Name: "root", TokenID: "t", Role: domain.Admin}, at, false},
		{domain.Actor{Name: "admin", Role: domain.Admin}, at, false},
		{domain.Anonymous, at, true},
		{domain.Actor{}, at, true},
	} {
		p.Actor = c.actor
		_, err := domain.Revise(now, p, c.at)
		if errors.Is(err, domain.ErrFrozen) != c.held || (c.held && !strings.Contains(err.Error(), "the sale")) {
			t.Errorf("%+v: %v", c.actor, err)
		}
	}
}

func TestSettingsCheck(t *testing.T) {
	at := time.Now()
	bad := func(change func(*domain.Settings)) {
		t.Helper()
		s := domain.DefaultSettings
		change(&s)
		if err := s.Check(at); !errors.Is(err, domain.ErrInvalidSettings) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	bad(func(s *domain.Settings) { s.Guards.Configs = 0 })
	bad(func(s *domain.Settings) { s.Guards.DeletedPercent = 101 })
	bad(func(s *domain.Settings) { s.Guards.KeptPercent = -1 })
	bad(func(s *domain.Settings) { s.Reason = "no freeze" })
	bad(func(s *domain.Settings) { s.FrozenUntil = at.AddDate(2, 0, 0) })
	bad(func(s *domain.Settings) { s.FrozenUntil, s.Reason = at, "a\nb" })
	bad(func(s *domain.Settings) { s.FrozenUntil, s.Reason = at, strings.Repeat("r", 1025) })
	good := domain.Settings{Guards: domain.Guards{Configs: 1, DeletedPercent: 100}, FrozenUntil: at.Add(time.Hour), Reason: "the sale"}
	if err := good.Check(at); err != nil {
		t.Error(err)
	}
}
