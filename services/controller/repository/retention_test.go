package repository_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/shared/config"
)

var janitor = domain.Actor{TokenID: "t1", Name: "ops", Role: domain.Admin}

// compact compacts until nothing is left, and says what was dropped and in how many
// transactions.
func compact(t *testing.T, s *repository.Store, keep domain.Retention, at time.Time) (all domain.Compaction, times int) {
	t.Helper()
	for more := true; more; times++ {
		did, left, err := s.Compact(t.Context(), "payments", keep, janitor, at)
		if err != nil {
			t.Fatal(err)
		}
		all.Join(did)
		more = left
	}
	return all, times
}

func names(c domain.Compaction) string {
	var all strings.Builder
	for _, d := range c.Dropped {
		fmt.Fprintf(&all, "%s %s@%d;", d.Op, d.Name, d.Revision)
	}
	return all.String()
}

// writtenHistory makes seven revisions: limits changes in most, motd stands since the
// first, gone is deleted, and the schema of limits changes once.
func writtenHistory(t *testing.T, s *repository.Store) {
	t.Helper()
	commit(t, s, "payments", put("limits", "1"), put("motd", `"hello"`), put("gone", "0")) // 1
	commit(t, s, "payments", put("limits", "2"))                                           // 2
	schema := domain.Change{Op: domain.PutSchema, Name: "limits", Document: config.Document{MediaType: "application/json", Body: []byte(`true`)}}
	for _, body := range []string{`true`, `{}`} { // 3, 4
		schema.Body = []byte(body)
		if _, err := update(t.Context(), s, "payments", domain.Proposal{Schemas: []domain.Change{schema}, Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, "payments", remove("gone"))     // 5
	commit(t, s, "payments", put("limits", "6")) // 6
	commit(t, s, "payments", put("limits", "7")) // 7
}

// TestCompact: only what stood at no revision that is kept goes, all else stays as
// it was, and the chain of hashes holds.
func TestCompact(t *testing.T) {
	for _, c := range []struct {
		keep  domain.Retention
		later time.Duration
		from  config.Revision
		drops string
	}{
		{domain.Retention{}, 0, 1, ""},
		{domain.Retention{Revisions: 7}, 0, 1, ""},
		{domain.Retention{Revisions: 99}, 0, 1, ""},
		{domain.Retention{Revisions: 6}, 0, 2, "put limits@1;"},
		{domain.Retention{Revisions: 4}, 0, 4, "put limits@1;put_schema limits@3;"},
		{domain.Retention{Revisions: 3}, 0, 5, "put gone@1;put limits@1;put_schema limits@3;"},
		{domain.Retention{Revisions: 1}, 0, 7, "put gone@1;put limits@1;put limits@2;put limits@6;put_schema limits@3;"},
		{domain.Retention{Days: 1}, 0, 1, ""},
		{domain.Retention{Days: 1}, 48 * time.Hour, 7, "put gone@1;put limits@1;put limits@2;put limits@6;put_schema limits@3;"},
		{domain.Retention{Revisions: 6, Days: 1}, 48 * time.Hour, 2, "put limits@1;"},
		{domain.Retention{Revisions: 1, Days: 1}, 0, 1, ""},
	} {
		s := fresh(t)
		writtenHistory(t, s)
		at := time.Now().Add(c.later)
		would, err := s.Compactable(t.Context(), "payments", c.keep, at)
		did, _ := compact(t, s, c.keep, at)
		if err != nil || names(would) != c.drops || names(did) != c.drops || did.KeptFrom != c.from || did.Bytes != would.Bytes {
			t.Errorf("%+v: would drop %q, dropped %q, keeps from %d, %v; want %q from %d", c.keep, names(would), names(did), did.KeptFrom, err, c.drops, c.from)
		}
		stillWhole(t, s, c.from)
		if again, _ := compact(t, s, c.keep, at); again.Documents != 0 {
			t.Errorf("%+v: the second time dropped %q", c.keep, names(again))
		}
	}
}

// TestCompactByAge: what stood at the cutoff is kept, however old it is, and a clock
// that was set back drops nothing more.
func TestCompactByAge(t *testing.T) {
	for name, c := range map[string]struct {
		days  []int
		from  config.Revision
		drops string
	}{
		"in order":     {[]int{0, 10, 20, 30}, 3, "put limits@1;put limits@2;"},
		"set back":     {[]int{0, 30, 10, 31}, 1, ""},
		"on the point": {[]int{0, 25, 26, 30}, 2, "put limits@1;"},
	} {
		s := fresh(t)
		start := time.Now().UTC().Truncate(time.Millisecond)
		for i, day := range c.days {
			_, err := s.Update(t.Context(), "payments", func(now domain.Namespace) (domain.Commit, error) {
				return domain.Revise(now, domain.Proposal{Changes: []domain.Change{put("limits", fmt.Sprint(i))}}, start.AddDate(0, 0, day))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		did, _ := compact(t, s, domain.Retention{Days: 10}, start.AddDate(0, 0, 35))
		if did.KeptFrom != c.from || names(did) != c.drops {
			t.Errorf("%s: dropped %q, kept from %d; want %q from %d", name, names(did), did.KeptFrom, c.drops, c.from)
		}
	}
}

// stillWhole reads all that has to be there, and all that has to hold.
func stillWhole(t *testing.T, s *repository.Store, from config.Revision) {
	t.Helper()
	limits := map[config.Revision]string{1: "1", 2: "2", 3: "2", 4: "2", 5: "2", 6: "6", 7: "7"}
	var previous domain.Hash
	for r := config.Revision(1); r <= 7; r++ {
		c, err := s.Revision(t.Context(), "payments", r)
		if err != nil || c.Sum() != c.Hash || c.Previous != previous {
			t.Errorf("revision %d does not verify, kept from %d: %v", r, from, err)
		}
		previous = c.Hash
		at := 0 // of limits, which gone stands before until it goes
		if r < 5 {
			at = 1
		}
		state, err := s.State(t.Context(), "payments", r)
		if r >= from && (err != nil || string(state[at].Body) != limits[r]) {
			t.Errorf("revision %d is not what it was, kept from %d: %v", r, from, err)
		}
		if err != nil && !errors.Is(err, domain.ErrCompacted) {
			t.Errorf("revision %d: %v", r, err)
		}
	}
	snapshot, err := s.Newest(t.Context(), "payments")
	if err != nil || len(snapshot.Configs) != 2 || string(snapshot.Configs[0].Body) != "7" || string(snapshot.Configs[1].Body) != `"hello"` {
		t.Errorf("what stands is not what stood: %v", err)
	}
	schemas, err := s.Schemas(t.Context(), "payments")
	if err != nil || len(schemas) != 1 || string(schemas[0].Body) != "{}" {
		t.Errorf("the schema that stands: %v", err)
	}
}

// TestCompactedIsSaid: who asks for what was dropped is told so, and the audit tells
// of it.
func TestCompactedIsSaid(t *testing.T) {
	s := fresh(t)
	writtenHistory(t, s)
	compact(t, s, domain.Retention{Revisions: 1}, time.Now())
	_, document := s.Document(t.Context(), "payments", "limits", 2)
	_, schema := s.Schema(t.Context(), "payments", "limits", 3)
	_, state := s.State(t.Context(), "payments", 2)
	for _, err := range []error{document, schema, state} {
		if !errors.Is(err, domain.ErrCompacted) || !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	if e, err := s.Document(t.Context(), "payments", "motd", 1); err != nil || string(e.Body) != `"hello"` {
		t.Errorf("what stands was dropped: %v", err)
	}
	c, err := s.Revision(t.Context(), "payments", 1)
	if err != nil || !errors.Is(c.Whole(), domain.ErrCompacted) || c.Changes[1].Digest() != config.DigestOf([]byte("1")) || len(c.Changes[1].Body) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	entries, head, err := s.Entries(t.Context(), 0, 1)
	if err != nil || len(entries) != 1 || head.Hash != entries[0].Sum() || entries[0].Action != domain.ActionCompact ||
		entries[0].Target != "payments@6" || entries[0].Actor != janitor {
		t.Errorf("%+v, %v", entries, err)
	}
	if _, _, err := s.Compact(t.Context(), "nobody", domain.Retention{Revisions: 1}, janitor, time.Now()); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("a namespace of nothing: %v", err)
	}
}

// TestCompactIsBounded: a transaction drops no more than its share, each has its own
// entry, and what was dropped survives a restart.
func TestCompactIsBounded(t *testing.T) {
	s := fresh(t)
	for i := range 3 {
		var changes []domain.Change
		for n := range 400 {
			changes = append(changes, put(config.Name(fmt.Sprintf("c%d", n)), fmt.Sprint(i)))
		}
		commit(t, s, "payments", changes...)
	}
	did, times := compact(t, s, domain.Retention{Revisions: 1}, time.Now())
	if did.Documents != 800 || times != 2 || len(did.Dropped) != domain.MaxDropped {
		t.Errorf("%d documents in %d transactions, %d named", did.Documents, times, len(did.Dropped))
	}
	big := strings.Repeat("x", 1<<20-16)
	for i := range 12 {
		commit(t, s, "big", put("c", fmt.Sprintf(`"%d%s"`, i, big)))
	}
	part, more, err := s.Compact(t.Context(), "big", domain.Retention{Revisions: 1}, janitor, time.Now())
	if err != nil || !more || part.Documents > 9 {
		t.Errorf("%d documents in one transaction, %v, %v", part.Documents, more, err)
	}
	entries, _, err := s.Entries(t.Context(), 0, 3)
	if err != nil || entries[0].Action != domain.ActionCompact || entries[0].Target != fmt.Sprintf("big@%d", part.Newest) {
		t.Errorf("%+v, %v", entries, err)
	}
}

// TestRetained: settings of a retention are kept, and found by who compacts.
func TestRetained(t *testing.T) {
	s := fresh(t)
	commit(t, s, "payments", put("limits", "1"))
	commit(t, s, "other", put("limits", "1"))
	keep := domain.Retention{Revisions: 5, Days: 2}
	for _, namespace := range []config.Name{"payments", "other"} {
		_, err := s.Amend(t.Context(), namespace, janitor, func(now domain.Settings) (domain.Settings, error) {
			if namespace == "payments" {
				now.Retention = keep
			}
			return now, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	retained, err := s.Retained(t.Context())
	if err != nil || len(retained) != 1 || retained["payments"] != keep {
		t.Errorf("%v, %v", retained, err)
	}
}
