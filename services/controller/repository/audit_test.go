package repository_test

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
)

// chainOf reads the whole audit and sees that it is one chain.
func chainOf(t *testing.T, s *repository.Store) []domain.Entry {
	t.Helper()
	entries, head, err := s.Entries(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	want := head
	for i, e := range entries {
		if e.Seq != want.Seq || e.Hash != want.Hash || e.Hash != e.Sum() {
			t.Errorf("entry %d is not %d of the chain: %+v", i, want.Seq, e)
		}
		want = domain.AuditHead{Seq: e.Seq - 1, Hash: e.Previous}
	}
	if want != (domain.AuditHead{}) {
		t.Errorf("the chain does not begin at its beginning: %+v", want)
	}
	return entries
}

func TestCommitIsToldWithIt(t *testing.T) {
	s := fresh(t)
	actor := domain.Actor{TokenID: "k3", Name: "alice", Role: domain.Publisher}
	made, err := update(t.Context(), s, "payments", domain.Proposal{Author: "alice", Actor: actor, Changes: []domain.Change{put("limits", "1"), put("other", "2")}})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, "payments", put("limits", "1"))                                                                               // which changes nothing
	if _, err := update(t.Context(), s, "payments", domain.Proposal{Changes: []domain.Change{remove("nobody")}}); err == nil { // which is refused
		t.Fatal("removed")
	}
	entries := chainOf(t, s)
	hash, _ := made.Hash.MarshalText()
	if len(entries) != 1 || entries[0].Actor != actor || entries[0].Target != "payments@1" || entries[0].Detail != "put limits, put other; hash "+string(hash) {
		t.Errorf("%+v", entries)
	}
}

// TestCommitIsNotKeptWithoutItsEntry: an audit that cannot be written holds the
// commit back, and the other way round.
func TestCommitIsNotKeptWithoutItsEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	commit(t, s, "payments", put("limits", "1"))
	behind(t, path, "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
	if _, err := update(t.Context(), s, "payments", domain.Proposal{Changes: []domain.Change{put("limits", "2")}}); err == nil {
		t.Error("committed, and nobody was told")
	}
	if err := s.SaveTokens(t.Context(), []domain.Token{{ID: "a", Role: domain.Reader}}, []domain.Entry{{}}); err == nil {
		t.Error("a token was made, and nobody was told")
	}
	if err := s.Save(t.Context(), []domain.Agent{{Registration: domain.Registration{ID: "host-1"}}}, nil, domain.Entry{}); err == nil {
		t.Error("an agent was changed, and nobody was told")
	}
	behind(t, path, "DROP TRIGGER full")
	if snapshot, err := s.Newest(t.Context(), "payments"); err != nil || snapshot.Revision != 1 {
		t.Errorf("it is kept all the same: %v", err)
	}
	tokens, err := s.LoadTokens(t.Context())
	if agents, _, loadErr := s.Load(t.Context()); err != nil || loadErr != nil || len(tokens)+len(agents) != 0 {
		t.Errorf("kept all the same: %v %v", tokens, agents)
	}
	commit(t, s, "payments", put("limits", "2"))
	if entries := chainOf(t, s); len(entries) != 2 {
		t.Errorf("%d entries", len(entries))
	}
}

func TestAuditIsPagedAndOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	for i := range 5 {
		if err := s.AppendEntries(t.Context(), []domain.Entry{{At: time.Now(), Action: "a"}, {At: time.Now(), Action: string(rune('b' + i))}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AppendEntries(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	page, head, err := s.Entries(t.Context(), 8, 3)
	if err != nil || head.Seq != 10 || len(page) != 3 || page[0].Seq != 7 || page[2].Seq != 5 {
		t.Errorf("%+v %+v %v", page, head, err)
	}
	if len(chainOf(t, s)) != 10 {
		t.Error("not ten")
	}
}

func TestTokensAreKeptWithoutThemselves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	at := time.UnixMilli(1_700_000_000_123).UTC()
	full := domain.Token{
		ID: "a", Name: "alice", Role: domain.Publisher, Namespaces: domain.Scope{"payments", "team-*"}, Hash: sha256.Sum256([]byte("secret")),
		CreatedAt: at, ExpiresAt: at.Add(time.Hour),
	}
	if err := s.SaveTokens(t.Context(), []domain.Token{full, {ID: "b", Role: domain.Admin, Namespaces: domain.AllNamespaces, Hash: sha256.Sum256([]byte("other")), CreatedAt: at}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.TokensUsed(t.Context(), map[string]time.Time{"a": at.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	full.LastUsedAt, full.RevokedAt = at.Add(time.Minute), time.Time{}
	tokens, err := s.LoadTokens(t.Context())
	if err != nil || len(tokens) != 2 || !reflect.DeepEqual(tokens[0], full) || !tokens[1].ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", tokens, err)
	}
	full.RevokedAt = at.Add(2 * time.Minute)
	if err := s.SaveTokens(t.Context(), []domain.Token{full}, nil); err != nil {
		t.Fatal(err)
	}
	if tokens, err := s.LoadTokens(t.Context()); err != nil || !tokens[0].RevokedAt.Equal(full.RevokedAt) {
		t.Errorf("%+v, %v", tokens, err)
	}
	if err := s.SaveTokens(t.Context(), []domain.Token{{ID: "c", Role: "root", Hash: sha256.Sum256(nil)}}, nil); err == nil || errors.Is(err, domain.ErrNotFound) {
		t.Error("a role that there is not:", err)
	}
}

func TestOwnerOfAnAgentIsKept(t *testing.T) {
	s := fresh(t)
	if err := s.Save(t.Context(), []domain.Agent{{Registration: domain.Registration{ID: "host-1", Owner: "edge"}}}, nil, domain.Entry{Action: domain.ActionAgentSet}); err != nil {
		t.Fatal(err)
	}
	agents, _, err := s.Load(t.Context())
	if err != nil || len(agents) != 1 || agents[0].Owner != "edge" {
		t.Errorf("%+v, %v", agents, err)
	}
	if entries := chainOf(t, s); len(entries) != 1 || entries[0].Action != domain.ActionAgentSet {
		t.Errorf("%+v", entries)
	}
}

// behind changes the database behind the store's back.
func behind(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
