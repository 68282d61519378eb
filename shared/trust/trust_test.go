package trust_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
	"github.com/heraldconf/herald/shared/trust"
)

// An upstream has a chain of keys, and signs by the newest.
type upstream struct {
	mu      sync.Mutex
	keys    config.Keys
	private ed25519.PrivateKey
	seed    byte
	err     error
	asked   int
}

func newUpstream(seed byte) *upstream {
	u := &upstream{seed: seed}
	u.rotate()
	return u
}

func (u *upstream) rotate() {
	next := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{u.seed}, ed25519.SeedSize))
	u.seed++
	public := next.Public().(ed25519.PublicKey)
	if u.keys == nil {
		u.keys = config.Keys{config.NewKey(public, time.Now())}
	} else {
		u.keys = u.keys.Succeeded(u.private, public, time.Now())
	}
	u.private = next
}

func (u *upstream) ask(context.Context) (config.Keys, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked++
	return u.keys, u.err
}

func unsigned(revision config.Revision) *config.Snapshot {
	return config.Seal("payments", config.Position{Epoch: "01A", Revision: revision}, nil, nil)
}

func (u *upstream) snapshot(revision config.Revision) *config.Snapshot {
	s := unsigned(revision)
	s.Signature = config.Sign(u.private, s)
	return s
}

var quiet = slog.New(slog.DiscardHandler)

func folder(t *testing.T) *lastgood.Folder {
	t.Helper()
	f, err := lastgood.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func open(t *testing.T, setting trust.Setting, f trust.Folder, u *upstream) *trust.Trust {
	t.Helper()
	opened, err := trust.Open(setting, f, u.ask, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

var errDead = errors.New("nobody answers")

func TestFirstUsePinsAndFollows(t *testing.T) {
	ctl, f := newUpstream(1), folder(t)
	tr := open(t, trust.FirstUse(), f, ctl)
	if err := tr.Check(t.Context(), ctl.snapshot(1)); err != nil {
		t.Fatal(err)
	}
	if err := tr.Check(t.Context(), unsigned(2)); !errors.Is(err, config.ErrUnsigned) {
		t.Errorf("unsigned, with a key pinned: %v", err)
	}
	stranger := newUpstream(50)
	if err := tr.Check(t.Context(), stranger.snapshot(2)); !errors.Is(err, config.ErrUnknownKey) {
		t.Errorf("a stranger: %v", err)
	}
	old := ctl.snapshot(2)
	ctl.rotate()
	ctl.rotate()
	time.Sleep(1100 * time.Millisecond) // what was asked for the stranger counts for a second
	if err := tr.Check(t.Context(), ctl.snapshot(3)); err != nil {
		t.Errorf("after two rotations: %v", err)
	}
	if err := tr.Check(t.Context(), old); err != nil {
		t.Errorf("what the former key signed: %v", err)
	}
	// After a restart, and with upstream dead, all that was followed still counts.
	ctl.err = errDead
	again := open(t, trust.FirstUse(), f, ctl)
	if err := errors.Join(again.Verify(ctl.snapshot(4)), again.Check(t.Context(), ctl.snapshot(4)), again.Verify(old)); err != nil {
		t.Error(err)
	}
	if err := again.Verify(unsigned(5)); !errors.Is(err, config.ErrSignature) {
		t.Errorf("unsigned from disk: %v", err)
	}
	if keys, err := again.Keys(t.Context()); err != nil || len(keys) != 3 || keys.Chained() != nil {
		t.Errorf("what is passed on: %v, %v", keys, err)
	}
	// The way out of a controller that was replaced: remove what is pinned.
	if err := f.WriteFile(trust.Pinned, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Open(trust.FirstUse(), f, ctl.ask, quiet); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("damaged: %v", err)
	}
}

func TestTheFirstKeysMustBeAChainThatSigned(t *testing.T) {
	for name, spoil := range map[string]func(*upstream){
		"dead":             func(u *upstream) { u.err = errDead },
		"another chain":    func(u *upstream) { u.keys = newUpstream(70).keys },
		"without the root": func(u *upstream) { u.keys = u.keys[:1] },
		"empty":            func(u *upstream) { u.keys = config.Keys{} },
	} {
		ctl, f := newUpstream(1), folder(t)
		ctl.rotate()
		snapshot := ctl.snapshot(1)
		spoil(ctl)
		tr := open(t, trust.FirstUse(), f, ctl)
		if err := tr.Check(t.Context(), snapshot); !errors.Is(err, config.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.ReadFile(trust.Pinned); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is pinned", name)
		}
	}
}

func TestUnsignedPassesUntilAKeyIsPinned(t *testing.T) {
	ctl := newUpstream(1)
	tr := open(t, trust.FirstUse(), folder(t), ctl)
	if err := errors.Join(tr.Check(t.Context(), unsigned(1)), tr.Verify(unsigned(1))); err != nil || ctl.asked != 0 {
		t.Errorf("%v, asked %d times", err, ctl.asked)
	}
	if !tr.Anew(unsigned(1)) || tr.Anew(unsigned(1)) || tr.Anew(ctl.snapshot(1)) {
		t.Error("what is held is to be fetched anew once")
	}
	if err := tr.Check(t.Context(), ctl.snapshot(2)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !tr.Anew(unsigned(1)) || !tr.Anew(newUpstream(50).snapshot(1)) {
			t.Error("nobody vouches for it, and yet it is not fetched anew")
		}
	}
	if tr.Anew(ctl.snapshot(2)) {
		t.Error("fetched anew though a key vouches for it")
	}
}

func TestGivenKeysAndWhatTheyVouchFor(t *testing.T) {
	ctl, f := newUpstream(1), folder(t)
	ctl.rotate()
	given := ctl.keys
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, given.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	setting, err := trust.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	tr := open(t, setting, f, ctl)
	if err := tr.Verify(unsigned(1)); !errors.Is(err, config.ErrUnsigned) {
		t.Errorf("unsigned: %v", err)
	}
	ctl.rotate()
	if err := tr.Check(t.Context(), ctl.snapshot(1)); err != nil {
		t.Error(err)
	}
	ctl.err = errDead
	if err := open(t, setting, f, ctl).Verify(ctl.snapshot(1)); err != nil {
		t.Errorf("offline: %v", err)
	}
	// With other keys given, what was followed before vouches for nothing.
	other := newUpstream(50)
	if err := open(t, trust.Given(other.keys), f, ctl).Verify(ctl.snapshot(1)); !errors.Is(err, config.ErrUnknownKey) {
		t.Errorf("%v", err)
	}
	if err := f.WriteFile("followed-keys.json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := open(t, setting, f, ctl).Verify(ctl.snapshot(1)); !errors.Is(err, config.ErrUnknownKey) {
		t.Errorf("what was followed is damaged: %v", err)
	}
}

func TestNoneAsksForNothingAndPassesKeysOn(t *testing.T) {
	ctl, f := newUpstream(1), folder(t)
	tr := open(t, trust.None(), f, ctl)
	forged := newUpstream(9).snapshot(1)
	if err := errors.Join(tr.Check(t.Context(), forged), tr.Check(t.Context(), unsigned(1)), tr.Verify(forged)); err != nil || tr.Anew(unsigned(1)) {
		t.Error(err)
	}
	if keys, err := tr.Keys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("%v, %v", keys, err)
	}
	ctl.err = errDead
	if keys, err := open(t, trust.None(), f, ctl).Keys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("kept: %v, %v", keys, err)
	}
	// What was passed on unseen is not thereby pinned.
	if _, err := open(t, trust.FirstUse(), f, ctl).Keys(t.Context()); !errors.Is(err, trust.ErrNoKeys) || !errors.Is(err, errDead) {
		t.Errorf("%v", err)
	}
}

// A flood of snapshots by unknown keys is no flood of questions.
func TestUpstreamIsNotAskedAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctl, stranger := newUpstream(1), newUpstream(50)
		tr := open(t, trust.Given(ctl.keys), nil, ctl)
		for range 100 {
			if tr.Check(t.Context(), stranger.snapshot(1)) == nil {
				t.Fatal("a stranger counts")
			}
		}
		if ctl.asked != 1 {
			t.Errorf("asked %d times", ctl.asked)
		}
		time.Sleep(2 * time.Second)
		ctl.rotate()
		if err := tr.Check(t.Context(), ctl.snapshot(1)); err != nil || ctl.asked != 2 {
			t.Errorf("asked %d times: %v", ctl.asked, err)
		}
	})
}

// full is a folder whose disk is full until it is not.
type full struct {
	trust.Folder
	err error
}

func (f *full) WriteFile(name string, content []byte) error {
	if f.err != nil {
		return f.err
	}
	return f.Folder.WriteFile(name, content)
}

func TestAFullDiskPinsInMemoryAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctl, f := newUpstream(1), &full{Folder: folder(t), err: errors.New("no space left")}
		tr := open(t, trust.FirstUse(), f, ctl)
		if err := tr.Check(t.Context(), ctl.snapshot(1)); err != nil {
			t.Fatal(err)
		}
		if err := tr.Check(t.Context(), newUpstream(50).snapshot(1)); !errors.Is(err, config.ErrUnknownKey) {
			t.Errorf("pinned in memory: %v", err)
		}
		f.err = nil
		time.Sleep(11 * time.Second)
		if _, err := tr.Keys(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := open(t, trust.FirstUse(), f, ctl).Verify(newUpstream(50).snapshot(1)); !errors.Is(err, config.ErrUnknownKey) {
			t.Errorf("not kept at last: %v", err)
		}
	})
}

func TestSettings(t *testing.T) {
	write := func(content string) string {
		file := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, good := range []string{"", "first-use", "none"} {
		if _, err := trust.Parse(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"First-Use", "/no/such/file", t.TempDir(), write(""), write(`{"keys":[]}`), write(`{"keys":[{"id":"x"}]}`), write(strings.Repeat(" ", 2<<20))} {
		if _, err := trust.Parse(bad); err == nil || !strings.Contains(err.Error(), "/v1/signing-keys") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
