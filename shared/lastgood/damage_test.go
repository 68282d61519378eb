package lastgood_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
)

func damage(t *testing.T, path, name string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path, name))
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-20] ^= 1
	if err := os.WriteFile(filepath.Join(path, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every byte flipped and every length cut of either generation is refused, and
// the other one serves; where that is gone too, nothing does.
func TestEveryDamageIsSeen(t *testing.T) {
	path := t.TempDir()
	f := open(t, path)
	for revision := range config.Revision(2) {
		save(t, f, config.Seal("payments", config.Position{Epoch: "01J", Revision: revision + 1}, []config.Entry{
			{Name: "limits", Revision: 1, Document: config.Document{MediaType: "application/json", Body: []byte(" {\"rps\": 1e1}\n")}},
		}, []config.Tombstone{{Name: "motd", Revision: 1}}))
	}
	newest, before := filepath.Join(path, "payments.snapshot"), filepath.Join(path, "payments.previous")
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good, former := read(t, newest), read(t, before)
	tried := 0
	for what, content := range damages(good) {
		tried++
		write(newest, content)
		kept, err := f.Load("payments")
		if err != nil || !kept.Previous || kept.Snapshot.Revision != 1 || !errors.Is(kept.Damage, config.ErrDamaged) {
			t.Errorf("the newest, %s: %+v, %v", what, kept, err)
		}
	}
	for what, content := range damages(former) {
		tried++
		write(before, content) // and the newest is aside
		if kept, err := f.Load("payments"); !errors.Is(err, lastgood.ErrNone) || !errors.Is(err, config.ErrDamaged) || kept.Snapshot != nil {
			t.Errorf("the one before, %s: %+v, %v", what, kept, err)
		}
		if tried%20 != 0 {
			continue
		}
		write(before, content)
		write(newest, good)
		if kept, err := f.Load("payments"); err != nil || kept.Previous || kept.Snapshot.Revision != 2 {
			t.Errorf("the one before, %s, and the newest whole: %+v, %v", what, kept, err)
		}
		if err := os.Remove(newest); err != nil {
			t.Fatal(err)
		}
	}
	if want := 3*(len(good)+len(former)) + 4; tried != want || len(good) < 300 {
		t.Errorf("%d of %d damages tried", tried, want)
	}
}

// damages yields the content with each of its bytes flipped, cut to each length,
// and with something behind it.
func damages(good []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := range good {
			flipped := slices.Clone(good)
			flipped[i] ^= 1 << (i % 8)
			other := slices.Clone(good)
			other[i] ^= 0x20 // another case, which encoding/json would not mind
			if !yield(fmt.Sprintf("byte %d of %d flipped to %q", i, len(good), flipped[i]), flipped) ||
				!yield(fmt.Sprintf("byte %d of %d in the other case", i, len(good)), other) ||
				!yield(fmt.Sprintf("cut to %d of %d", i, len(good)), good[:i]) {
				return
			}
		}
		_ = yield("a byte too many", append(slices.Clone(good), '\n')) && yield("twice", append(slices.Clone(good), good...))
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestAnotherNamespacesFileIsRefused(t *testing.T) {
	path := t.TempDir()
	f := open(t, path)
	save(t, f, snapshot("payments", 1))
	if err := os.Rename(filepath.Join(path, "payments.snapshot"), filepath.Join(path, "search.snapshot")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load("search"); !errors.Is(err, lastgood.ErrNone) || !strings.Contains(err.Error(), "of namespace payments") {
		t.Error(err)
	}
}

// A generation that cannot be read is set aside as a damaged one is, one at a time.
func TestUnreadableIsSetAside(t *testing.T) {
	path := t.TempDir()
	f := open(t, path)
	save(t, f, snapshot("payments", 1))
	save(t, f, snapshot("payments", 2))
	newest := filepath.Join(path, "payments.snapshot")
	if err := os.Remove(newest); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := os.MkdirAll(filepath.Join(newest, "in it"), 0o700); err != nil { // it opens, and fails to be read, for root too
			t.Fatal(err)
		}
		kept, err := f.Load("payments")
		if err != nil || !kept.Previous || kept.Snapshot.Revision != 1 || !errors.Is(kept.Damage, config.ErrDamaged) ||
			!strings.Contains(kept.Damage.Error(), "set aside as payments.damaged") {
			t.Errorf("%+v, %v", kept, err)
		}
	}
	if got := files(t, path); !slices.Equal(got, []string{"payments.damaged", "payments.previous"}) {
		t.Errorf("%q", got)
	}
	damage(t, path, "payments.previous")
	if _, err := f.Load("payments"); !errors.Is(err, lastgood.ErrNone) || !errors.Is(err, config.ErrDamaged) {
		t.Error(err)
	}
	if got := files(t, path); !slices.Equal(got, []string{"payments.damaged", "payments.damaged-previous"}) {
		t.Errorf("%q", got)
	}
	if got, err := f.Namespaces(); err != nil || !slices.Equal(got, []config.Name{"payments"}) {
		t.Errorf("what was followed is forgotten: %q, %v", got, err)
	}
}
