package repository_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/shared/config"
)

// TestReopen: what was acknowledged is there for the next process, though this one
// never closed the database, and the chain holds.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "down", "c.db")
	s := open(t, path)
	epoch := s.Epoch()
	for i := range 5 {
		commit(t, s, "payments", put("limits", fmt.Sprint(i)), put("other", fmt.Sprint(i)))
	}
	crashed := filepath.Join(t.TempDir(), "c.db")
	for _, suffix := range []string{"", "-wal"} { // as a crash leaves them; -shm is made anew
		body, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, crashed)
	if again.Epoch() != epoch {
		t.Errorf("epoch %s became %s", epoch, again.Epoch())
	}
	commits, err := again.Commits(t.Context(), "payments", "", 0, 10)
	if err != nil || len(commits) != 5 {
		t.Fatalf("%d commits, %v", len(commits), err)
	}
	for revision := range config.Revision(5) {
		c, err := again.Revision(t.Context(), "payments", revision+1)
		if err != nil || c.Hash != c.Sum() || len(c.Changes) != 2 {
			t.Errorf("revision %d: %v; the hash must be of what is kept: %+v", revision+1, err, c)
		}
		if revision > 0 && c.Previous != commits[5-revision].Hash {
			t.Errorf("revision %d does not stand on the one before", revision+1)
		}
	}
	if pending, err := again.Pending(t.Context(), 0, 10); err != nil || len(pending) != 5 {
		t.Errorf("announcements are lost: %v, %v", pending, err)
	}
}

// TestOpenRefusals: what a database cannot be is said in one line, with the place.
func TestOpenRefusals(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("no database at all, and longer than a header is"+strings.Repeat(".", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	used := filepath.Join(dir, "used.db")
	open(t, used)
	newer := filepath.Join(dir, "newer.db")
	open(t, newer).Close()
	foreign, err := sql.Open("sqlite3", "file:"+newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
	foreign.Close()
	for _, c := range []struct{ name, path, says string }{
		{"a folder", dir, "is a directory"},
		{"below a file", filepath.Join(file, "c.db"), "not a directory"},
		{"below a folder that cannot be written", "/proc/herald/c.db", "--db"},
		{"another controller's", used, "another controller uses it"},
		{"no database", file, "not a database"},
		{"a newer version's", newer, "newer version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, err := repository.Open(t.Context(), c.path)
			if err == nil {
				store.Close()
				t.Fatal("it was opened")
			}
			if !errors.Is(err, repository.ErrOpen) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("%q does not say %q and where", err, c.says)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q has more than one line", err)
			}
		})
	}
}

// TestOddPaths: characters that mean something in a URI are a path's like others.
func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b.db", "a%20b.db", "a#b.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := open(t, path)
		commit(t, s, "payments", put("limits", `1`))
		s.Close()
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrivateFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "c.db")
	open(t, path)
	for p, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}
