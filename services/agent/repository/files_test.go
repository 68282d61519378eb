package repository_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/repository"
	"github.com/heraldconf/herald/shared/lastgood"
)

func version(mode os.FileMode, content string) domain.Version {
	return domain.Version{Present: true, Mode: mode, Content: []byte(content)}
}

func fine(string) error { return nil }

// place is a file in a folder that it may not leave, and one beside that folder
// which nobody may touch.
func place(t *testing.T, name string) (f domain.File, outside string) {
	t.Helper()
	dir := t.TempDir()
	root, outside := filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, folder := range []string{filepath.Join(root, "sub"), outside} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(outside, "a.conf"), "untouched")
	return domain.File{To: filepath.Join(root, name), Root: root}, outside
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func stands(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", path, got, err, want)
	}
}

// alone fails if there is more in the folder than these.
func alone(t *testing.T, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Errorf("%s holds %v, want %v", folder, got, names)
	}
}

func TestReplace(t *testing.T) {
	f, _ := place(t, "sub/a.conf")
	disk, folder := repository.Files{}, filepath.Dir(f.To)
	if v, err := disk.Read(f); err != nil || v.Present {
		t.Fatalf("%+v, %v", v, err)
	}
	seen := ""
	if err := disk.Replace(f, version(0o640, "one"), func(beside string) error {
		seen = beside
		stands(t, beside, "one")
		if info, err := os.Stat(beside); err != nil || info.Mode() != 0o640 {
			t.Errorf("is checked as %v, %v", info.Mode(), err)
		}
		if _, err := os.Stat(f.To); err == nil {
			t.Error("is in place before it is checked")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(seen) != folder || !strings.HasPrefix(filepath.Base(seen), ".") || strings.HasSuffix(seen, ".conf") {
		t.Errorf("%s could be included before it is checked", seen)
	}
	if v, err := disk.Read(f); err != nil || v.Digest() != version(0o640, "one").Digest() {
		t.Errorf("%+v, %v", v, err)
	}
	no := errors.New("no")
	if err := disk.Replace(f, version(0o600, "two"), func(string) error { return no }); !errors.Is(err, no) {
		t.Error(err)
	}
	stands(t, f.To, "one")
	alone(t, folder, "a.conf")
	if err := disk.Replace(f, domain.Version{}, fine); err != nil {
		t.Error(err)
	}
	if err := disk.Replace(f, domain.Version{}, fine); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	alone(t, folder)
}

func TestTheOwnerStays(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("not root: the owner is whoever runs this, and stays so")
	}
	f, _ := place(t, "a.conf")
	put(t, f.To, "one")
	want := os.Getuid()
	if want == 0 {
		want = 12345
	}
	if err := os.Chown(f.To, want, -1); err != nil {
		t.Fatal(err)
	}
	if err := (repository.Files{}).Replace(f, version(0o600, "two"), fine); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(f.To)
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != want || info.Mode() != 0o600 {
		t.Errorf("%+v, %v", info.Sys(), err)
	}
}

// What a killed process left beside goes, whatever it is.
func TestDiscard(t *testing.T) {
	f, outside := place(t, "a.conf")
	beside := filepath.Join(f.Root, ".a.conf.herald-new")
	put(t, beside, "half")
	disk := repository.Files{}
	if err := errors.Join(disk.Discard(f), disk.Discard(f)); err != nil {
		t.Error(err)
	}
	alone(t, f.Root, "sub")
	if err := os.Symlink(filepath.Join(outside, "a.conf"), beside); err != nil {
		t.Fatal(err)
	}
	if err := disk.Replace(f, version(0o644, "new"), fine); err != nil {
		t.Error(err)
	}
	stands(t, filepath.Join(outside, "a.conf"), "untouched")
	stands(t, f.To, "new")
}

// Nothing is written outside the root, whatever leads there.
func TestNothingLeadsOutside(t *testing.T) {
	for what, lay := range map[string]func(f domain.File, outside string) error{
		"the file, absolute": func(f domain.File, outside string) error { return os.Symlink(filepath.Join(outside, "a.conf"), f.To) },
		"the file, relative": func(f domain.File, _ string) error { return os.Symlink("../../outside/a.conf", f.To) },
		"the folder, absolute": func(f domain.File, outside string) error {
			return errors.Join(os.Remove(filepath.Dir(f.To)), os.Symlink(outside, filepath.Dir(f.To)))
		},
		"the folder, relative": func(f domain.File, _ string) error {
			return errors.Join(os.Remove(filepath.Dir(f.To)), os.Symlink("../outside", filepath.Dir(f.To)))
		},
		"a pipe":   func(f domain.File, _ string) error { return syscall.Mkfifo(f.To, 0o600) },
		"a folder": func(f domain.File, _ string) error { return os.Mkdir(f.To, 0o700) },
	} {
		f, outside := place(t, "sub/a.conf")
		if err := lay(f, outside); err != nil {
			t.Fatal(err)
		}
		disk := repository.Files{}
		asked := false
		err := disk.Replace(f, version(0o644, "evil"), func(string) error { asked = true; return nil })
		if _, reading := disk.Read(f); err == nil || reading == nil || asked {
			t.Errorf("%s: written %v, read %v, asked %v", what, err, reading, asked)
		}
		_ = disk.Discard(f)
		stands(t, filepath.Join(outside, "a.conf"), "untouched")
		alone(t, outside, "a.conf")
	}
	f, outside := place(t, "sub/../../outside/b.conf") // which the domain refuses already
	f.To = f.Root + "/../outside/b.conf"
	if err := (repository.Files{}).Replace(f, version(0o644, "evil"), fine); err == nil {
		t.Error("went up")
	}
	alone(t, outside, "a.conf")
	f.To = filepath.Join(f.Root, "nowhere", "a.conf")
	if err := (repository.Files{}).Replace(f, version(0o644, "x"), fine); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// A link inside the root is followed.
func TestALinkThatStaysInside(t *testing.T) {
	f, _ := place(t, "now/a.conf")
	if err := os.Symlink("sub", filepath.Join(f.Root, "now")); err != nil {
		t.Fatal(err)
	}
	if err := (repository.Files{}).Replace(f, version(0o644, "one"), fine); err != nil {
		t.Fatal(err)
	}
	stands(t, filepath.Join(f.Root, "sub", "a.conf"), "one")
}

// The folder is swapped for a link to elsewhere, once while the new file is being
// checked, and then all the time.
func TestAFolderThatIsSwapped(t *testing.T) {
	f, outside := place(t, "sub/a.conf")
	sub, aside := filepath.Dir(f.To), filepath.Join(f.Root, "aside")
	swap := func() error { return errors.Join(os.Rename(sub, aside), os.Symlink("../outside", sub)) }
	back := func() error { return errors.Join(os.Remove(sub), os.Rename(aside, sub)) }
	disk := repository.Files{}
	if err := disk.Replace(f, version(0o644, "one"), func(string) error { return swap() }); err != nil {
		t.Fatal(err)
	}
	stands(t, filepath.Join(aside, "a.conf"), "one")
	stands(t, filepath.Join(outside, "a.conf"), "untouched")
	if err := back(); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	ended := make(chan error, 1)
	go func() {
		for !done.Load() {
			if err := errors.Join(swap(), back()); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	written := 0
	for i := range 1000 {
		if disk.Replace(f, version(0o644, fmt.Sprint(i)), fine) == nil {
			written++
		}
	}
	done.Store(true)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	stands(t, filepath.Join(outside, "a.conf"), "untouched")
	alone(t, outside, "a.conf")
	if written == 0 || written == 1000 {
		t.Logf("%d of 1000 were written: the swaps and the writes never met", written)
	}
}

func TestLargeFilesAreNotRead(t *testing.T) {
	f, _ := place(t, "a.conf")
	put(t, f.To, "")
	if err := os.Truncate(f.To, domain.MaxFileSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := (repository.Files{}).Read(f); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}

func TestLedger(t *testing.T) {
	dir := t.TempDir()
	folder, err := lastgood.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	ledger := repository.NewLedger(folder, slog.New(slog.DiscardHandler))
	if r := ledger.Record("/etc/a"); r.Path != "/etc/a" || r.Settled != "" || r.Former.Present {
		t.Errorf("%+v", r)
	}
	record := domain.FileRecord{Path: "/etc/a"}.Trial(version(0o640, "old\xff"), version(0o640, "new"))
	if err := ledger.KeepRecord(record); err != nil {
		t.Fatal(err)
	}
	again := repository.NewLedger(folder, slog.New(slog.DiscardHandler)).Record("/etc/a")
	if again.Trying != record.Trying || again.Former.Digest() != record.Former.Digest() || again.Settled != "" {
		t.Errorf("%+v", again)
	}
	if r := ledger.Record("/etc/b"); r.Trying != "" {
		t.Errorf("%+v", r)
	}
	if namespaces, err := folder.Namespaces(); err != nil || len(namespaces) != 0 {
		t.Errorf("a record counts as namespaces %v, %v", namespaces, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	kept := filepath.Join(dir, entries[0].Name())
	whole, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(kept); err != nil || info.Mode() != 0o600 {
		t.Errorf("anybody reads what a file was: %v", info.Mode())
	}
	for length := range whole { // cut anywhere it counts as none, or as what it was
		put(t, kept, string(whole[:length]))
		if r := ledger.Record("/etc/a"); r.Trying != "" || r.Path != "/etc/a" {
			t.Fatalf("cut at %d: %+v", length, r)
		}
	}
	put(t, kept, strings.Replace(string(whole), "/etc/a", "/etc/c", 1))
	if r := ledger.Record("/etc/a"); r.Trying != "" {
		t.Errorf("another's record: %+v", r)
	}
}
