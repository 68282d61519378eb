package lastgood_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)

// snapshot is of a few kilobytes. Two of different revisions are of one length.
func snapshot(namespace config.Name, revision config.Revision) *config.Snapshot {
	text := strings.Repeat(fmt.Sprintf("line of revision %04d\n", revision), 100)
	return config.Seal(namespace, config.Position{Epoch: "01J", Revision: revision}, []config.Entry{
		{Name: "limits", Revision: 1, Document: config.Document{MediaType: "application/json", Body: []byte(" {\"rps\": 1e1}\n")}},
		{Name: "motd", Revision: revision, Document: config.Document{MediaType: "text/plain", Body: []byte(text)}},
	}, nil)
}

func open(t *testing.T, path string) *lastgood.Folder {
	t.Helper()
	f, err := lastgood.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func save(t *testing.T, f *lastgood.Folder, s *config.Snapshot) {
	t.Helper()
	if err := f.Save(s, noon); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSaveThenLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "for", "it")
	f := open(t, path)
	if _, err := f.Load("payments"); !errors.Is(err, lastgood.ErrNone) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	s := snapshot("payments", 7)
	s.ETag = "what-upstream-says"
	local := noon.In(time.FixedZone("there", 3600))
	if err := f.Save(s, local); err != nil {
		t.Fatal(err)
	}
	kept, err := open(t, path).Load("payments")
	if err != nil || kept.Previous || kept.Damage != nil || !kept.Confirmed.Equal(noon) {
		t.Fatalf("%+v, %v", kept, err)
	}
	if got := kept.Snapshot; !bytes.Equal(got.Body, s.Body) || got.ETag != s.ETag || got.Digest != s.Digest || got.Position != s.Position {
		t.Errorf("%+v", got)
	}
	if got := files(t, path); !slices.Equal(got, []string{"payments.snapshot"}) {
		t.Errorf("left behind: %q", got)
	}
	info, err := os.Stat(filepath.Join(path, "payments.snapshot"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: configuration may be secret", info.Mode(), err)
	}
}

func TestTwoGenerations(t *testing.T) {
	path := t.TempDir()
	f := open(t, path)
	for revision := range config.Revision(5) {
		save(t, f, snapshot("payments", revision+1))
	}
	if got := files(t, path); !slices.Equal(got, []string{"payments.previous", "payments.snapshot"}) {
		t.Fatalf("%q", got)
	}
	if kept, err := f.Load("payments"); err != nil || kept.Snapshot.Revision != 5 || kept.Previous {
		t.Errorf("%+v, %v", kept, err)
	}
	damage(t, path, "payments.snapshot")
	for range 2 { // the second time the damaged one is aside already
		kept, err := f.Load("payments")
		if err != nil || kept.Snapshot.Revision != 4 || !kept.Previous || kept.Damage == nil {
			t.Fatalf("%+v, %v", kept, err)
		}
	}
	if got := files(t, path); !slices.Equal(got, []string{"payments.damaged", "payments.previous"}) {
		t.Errorf("%q", got)
	}
	save(t, f, snapshot("payments", 6))
	if kept, err := f.Load("payments"); err != nil || kept.Snapshot.Revision != 6 || kept.Previous {
		t.Errorf("%+v, %v", kept, err)
	}
	damage(t, path, "payments.snapshot") // the previous one has outlived the damaged one
	if kept, err := f.Load("payments"); err != nil || kept.Snapshot.Revision != 4 || !kept.Previous {
		t.Errorf("%+v, %v", kept, err)
	}
	damage(t, path, "payments.previous")
	if kept, err := f.Load("payments"); !errors.Is(err, lastgood.ErrNone) || kept.Snapshot != nil {
		t.Errorf("%+v, %v", kept, err)
	}
}

// A file system that has no links, played by one that is in the way.
func TestTwoGenerationsWithoutLinks(t *testing.T) {
	path := t.TempDir()
	if err := os.MkdirAll(filepath.Join(path, "payments.retiring", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	for revision := range config.Revision(3) {
		save(t, f, snapshot("payments", revision+1))
	}
	if kept, err := f.Load("payments"); err != nil || kept.Snapshot.Revision != 3 || kept.Previous {
		t.Errorf("%+v, %v", kept, err)
	}
	damage(t, path, "payments.snapshot")
	if kept, err := f.Load("payments"); err != nil || kept.Snapshot.Revision != 2 || !kept.Previous {
		t.Errorf("%+v, %v", kept, err)
	}
}

func TestNamespaces(t *testing.T) {
	path := t.TempDir()
	f := open(t, path)
	for _, name := range []config.Name{"b", "a", "a.snapshot", "c"} {
		save(t, f, snapshot(name, 1))
		save(t, f, snapshot(name, 2))
	}
	if err := f.WriteFile("followed", []byte("x")); err != nil {
		t.Fatal(err)
	}
	damage(t, path, "c.snapshot")
	if _, err := f.Load("c"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Not.snapshot", "..snapshot", ".snapshot", "D.damaged", "e.snapshot.new", "f.new", "g.retiring"} {
		if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := f.Namespaces()
	slices.Sort(got)
	if err != nil || !slices.Equal(got, []config.Name{"a", "a.snapshot", "b", "c"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNamesCannotLeaveTheFolder(t *testing.T) {
	outer := t.TempDir()
	f := open(t, filepath.Join(outer, "cache"))
	for _, name := range []config.Name{"../x", "/x", "../cache/x", "a/../../x"} {
		if err := f.Save(snapshot(name, 1), noon); err == nil {
			t.Errorf("%q was saved", name)
		}
		if _, err := f.Load(name); !errors.Is(err, lastgood.ErrNone) {
			t.Errorf("%q: %v", name, err)
		}
		if err := f.WriteFile(string(name), []byte("x")); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	if err := os.WriteFile(filepath.Join(outer, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(outer, "cache", "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret", "link"} {
		if content, err := f.ReadFile(name); err == nil {
			t.Errorf("%s: %q", name, content)
		}
	}
	if got := files(t, outer); !slices.Equal(got, []string{"cache", "secret"}) {
		t.Errorf("%q", got)
	}
}

func TestWriteFile(t *testing.T) {
	path := t.TempDir()
	f := open(t, path)
	if _, err := f.ReadFile("followed.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, want := range []string{"a longer content", "short", ""} {
		if err := f.WriteFile("followed.json", []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.ReadFile("followed.json"); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if got := files(t, path); !slices.Equal(got, []string{"followed.json"}) {
		t.Errorf("%q", got)
	}
}

// A file and a namespace of one name do not meet, however many write at once.
func TestManyAtOnce(t *testing.T) {
	path := t.TempDir()
	f := open(t, path)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				if err := f.Save(snapshot("payments", config.Revision(1+i*20+j)), noon); err != nil {
					t.Error(err)
				}
				if err := f.WriteFile("payments", bytes.Repeat([]byte{byte('a' + i)}, 5000)); err != nil {
					t.Error(err)
				}
				if kept, err := f.Load("payments"); err != nil || kept.Previous {
					t.Errorf("%v, %v", kept.Damage, err)
				}
			}
		})
	}
	group.Wait()
	content, err := f.ReadFile("payments")
	if err != nil || len(content) != 5000 || len(bytes.Trim(content, string(content[:1]))) != 0 {
		t.Errorf("torn: %d bytes, %v", len(content), err)
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	path := t.TempDir()
	file := filepath.Join(path, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	occupied := filepath.Join(path, "occupied")
	if err := os.MkdirAll(filepath.Join(occupied, ".probe"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if f, err := lastgood.Open(path); err == nil || f != nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := open(t, occupied).Writable(); err == nil {
		t.Error("something is in the way, and yet it can be written")
	}
	f := open(t, filepath.Join(path, "gone"))
	if err := os.Remove(filepath.Join(path, "gone")); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(snapshot("payments", 1), noon); err == nil {
		t.Error("saved to a folder that is gone")
	}
	if _, err := f.Load("payments"); !errors.Is(err, lastgood.ErrNone) {
		t.Error(err)
	}
}
