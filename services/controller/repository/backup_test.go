package repository_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

// backup keeps a copy of a store in a file.
func backup(t *testing.T, s *repository.Store, to string) {
	t.Helper()
	err := s.Backup(t.Context(), func(file *os.File) error {
		body, err := os.ReadFile(file.Name())
		if err != nil {
			return err
		}
		return os.WriteFile(to, body, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBackupWhileOthersWrite: each copy is one moment of the store, proved, and has
// every commit that was acknowledged before it began.
func TestBackupWhileOthersWrite(t *testing.T) {
	folder := t.TempDir()
	s := open(t, filepath.Join(folder, "c.db"))
	commit(t, s, "payments", put("limits", `0`))
	stop, done := make(chan struct{}), sync.WaitGroup{}
	done.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
				commit(t, s, "payments", put("limits", fmt.Sprint(n)))
			}
		}
	})
	for i := range 5 {
		before, err := s.Newest(t.Context(), "payments")
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(folder, fmt.Sprint(i))
		backup(t, s, copied)
		restored, err := repository.Restore(t.Context(), copied, copied+".db")
		if err != nil || restored.Commits < int64(before.Revision) || restored.Former != "" {
			t.Fatalf("%+v, %v; %d commits were acknowledged before", restored, err, before.Revision)
		}
	}
	close(stop)
	done.Wait()
	if left, _ := filepath.Glob(filepath.Join(folder, "*copy*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestOneBackupAtATime(t *testing.T) {
	s := fresh(t)
	err := s.Backup(t.Context(), func(*os.File) error { return s.Backup(t.Context(), nil) })
	if !errors.Is(err, usecase.ErrUnavailable) {
		t.Errorf("a second one meanwhile: %v", err)
	}
}

// TestRestoreBeginsAnEpoch that is later, even where the clock went back, and keeps
// what stood there.
func TestRestoreBeginsAnEpoch(t *testing.T) {
	folder := t.TempDir()
	path, copied := filepath.Join(folder, "c.db"), filepath.Join(folder, "copy")
	s := open(t, path)
	commit(t, s, "payments", put("limits", `1`))
	backup(t, s, copied)
	commit(t, s, "payments", put("limits", `2`))
	if _, err := repository.Restore(t.Context(), copied, path); !errors.Is(err, repository.ErrOpen) {
		t.Fatalf("under a controller: %v", err)
	}
	s.Close()
	restored, err := repository.Restore(t.Context(), copied, path)
	if err != nil || restored.Epoch <= s.Epoch() || restored.Namespaces != 1 || restored.Commits != 1 {
		t.Fatalf("%+v, %v; the former epoch is %s", restored, err, s.Epoch())
	}
	for at, want := range map[string]config.Revision{path: 1, restored.Former: 2} {
		again := open(t, at)
		now, err := again.Newest(t.Context(), "payments")
		if err != nil || now.Revision != want || now.Epoch != again.Epoch() {
			t.Errorf("%s: %v, %v; want revision %d", at, now, err, want)
		}
		again.Close()
	}
	far := "0ZZZZZZZZZ0000000000000000" // in the year 3084
	behind(t, path, "UPDATE store SET value = '"+far+"' WHERE key = 'epoch'")
	if restored, err = repository.Restore(t.Context(), path, path+"2"); err != nil || string(restored.Epoch) <= far {
		t.Errorf("after a clock from the future: %+v, %v", restored, err)
	}
}

// TestRestoreRefusesDamage: what is cut, changed by a hand, or no backup at all never
// takes a database's place.
func TestRestoreRefusesDamage(t *testing.T) {
	folder := t.TempDir()
	path, copied := filepath.Join(folder, "c.db"), filepath.Join(folder, "copy")
	s := open(t, path)
	for n := range 20 {
		commit(t, s, "payments", put("limits", fmt.Sprintf(`"%s%d"`, strings.Repeat("x", 900), n)))
	}
	backup(t, s, copied)
	s.Close()
	whole, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(string){
		"a byte of a document": func(to string) {
			at := strings.Index(string(whole), strings.Repeat("x", 900)+"7")
			changed := append([]byte{}, whole...)
			changed[at] = 'y'
			write(t, to, changed)
		},
		"cut in half":   func(to string) { write(t, to, whole[:len(whole)/2]) },
		"empty":         func(to string) { write(t, to, nil) },
		"no database":   func(to string) { write(t, to, []byte("herald")) },
		"a commit less": func(to string) { write(t, to, whole); behind(t, to, "DELETE FROM commits WHERE revision = 3") },
		"another author": func(to string) {
			write(t, to, whole)
			behind(t, to, "UPDATE commits SET author = 'eve' WHERE revision = 3")
		},
		"an audit entry":   func(to string) { write(t, to, whole); behind(t, to, "UPDATE audit SET actor = 'eve' WHERE seq = 3") },
		"the audit's end":  func(to string) { write(t, to, whole); behind(t, to, "DELETE FROM audit WHERE seq > 10") },
		"a log beside it":  func(to string) { write(t, to, whole); write(t, to+"-wal", []byte("x")) },
		"of another world": func(to string) { write(t, to, whole); behind(t, to, "DROP TABLE commits") },
	} {
		bad, target := filepath.Join(folder, "bad"), filepath.Join(folder, "target.db")
		damage(bad)
		if _, err := repository.Restore(t.Context(), bad, target); !errors.Is(err, repository.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: it took the place", name)
		}
		_ = os.Remove(bad + "-wal")
	}
	if _, err := repository.Restore(t.Context(), copied, path); err != nil {
		t.Errorf("the whole one: %v", err)
	}
}

// TestCopiesOfAKilledProcessGo with the next start; the folders of others stay.
func TestCopiesOfAKilledProcessGo(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "c.db")
	for _, name := range []string{"c.db.copy-123", "other.db.copy-123"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	open(t, path)
	left, _ := filepath.Glob(filepath.Join(folder, "*copy-123"))
	if len(left) != 1 || filepath.Base(left[0]) != "other.db.copy-123" {
		t.Errorf("left: %q", left)
	}
}

func write(t *testing.T, path string, body []byte) {
	t.Helper()
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
}
