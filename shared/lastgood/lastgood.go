// Package lastgood keeps the last good snapshot of each namespace in a folder,
// so that a program that restarts with nothing else alive goes on where it was.
// It knows files and nothing of HTTP: it depends on the standard library alone.
//
// A namespace has two generations, each one file with ETag and body: NAME.snapshot
// and the one before it, NAME.previous. A file is written beside, synced, renamed,
// and its folder is synced, so that a kill or a power cut leaves the old one or the
// new one. A file that cannot be read, or does not verify, is set aside: one of each
// generation is kept to be looked at, NAME.damaged and NAME.damaged-previous. One
// process at a time may save to a folder; within it any number of goroutines may
// use it.
package lastgood

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

const (
	current         = ".snapshot"
	previous        = ".previous"
	damaged         = ".damaged"
	damagedPrevious = ".damaged-previous"
	beside          = ".new"
	retiring        = ".retiring"
)

// ErrNone means that a folder holds nothing usable of a namespace.
var ErrNone = errors.New("no last good snapshot")

// A Kept is a snapshot as a folder has it.
type Kept struct {
	Snapshot *config.Snapshot
	// Confirmed is when it was last known to be the newest.
	Confirmed time.Time
	// Previous is set if the newest generation was damaged and this is the one
	// before it; Damage says what was wrong.
	Previous bool
	Damage   error
}

// A Folder holds last good snapshots.
type Folder struct {
	root    *os.Root
	writers sync.Map // what is being written, and its *sync.Mutex
	require func(*config.Snapshot) error
}

// Open opens a folder, and makes it where it is missing. It fails where there is
// none and none can be made, and where it cannot be read. One that cannot be
// written is opened all the same, since what is there can be served: Writable says
// how it is.
func Open(path string) (*Folder, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder: %w", err)
		}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	return &Folder{root: root}, nil
}

// Writable returns nil if something can be kept in the folder: it writes and
// removes a file. Another process may do so at the same time.
func (f *Folder) Writable() error {
	const name = ".probe"
	if err := f.write(name, []byte("writable\n")); err != nil {
		return err
	}
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Require names what every snapshot has to pass that is loaded, such as that its
// signature is good. One that does not is passed over like a damaged one, and yet
// stays where it is: what is required may change. It is set before the first Load.
func (f *Folder) Require(check func(*config.Snapshot) error) { f.require = check }

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Save keeps a snapshot. When it returns nil the snapshot is on disk.
func (f *Folder) Save(s *config.Snapshot, confirmed time.Time) error {
	name := string(s.Namespace)
	defer f.lock(name + current)()
	if err := f.write(name+current+beside, Encode(s, confirmed)); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := f.retire(name); err != nil {
		return fmt.Errorf("keep the former %s: %w", name, err)
	}
	if err := f.root.Rename(name+current+beside, name+current); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return f.sync()
}

// Load returns what the folder has of a namespace: the newest generation, or the
// one before it where the newest is damaged. It returns an error that wraps
// ErrNone if there is neither, and config.ErrDamaged if there was one.
func (f *Folder) Load(namespace config.Name) (Kept, error) {
	defer f.lock(string(namespace) + current)() // or else a generation that is saved meanwhile would be set aside
	kept, err := f.load(namespace, current)
	if err == nil {
		return kept, nil
	}
	damage := f.setAside(string(namespace)+current, string(namespace)+damaged, err)
	kept, err = f.load(namespace, previous)
	if err == nil {
		kept.Previous, kept.Damage = true, damage
		return kept, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		damage = fmt.Errorf("%w; the one before it: %w", damage, f.setAside(string(namespace)+previous, string(namespace)+damagedPrevious, err))
	}
	return Kept{}, fmt.Errorf("%w of %s: %w", ErrNone, namespace, damage)
}

// setAside takes a generation out of the way that is not what was written, or
// cannot be read, and returns what was wrong with it. It stays where it may be
// whole: this process has no room to read it just now, or it is what it was and
// something else is required of it.
func (f *Folder) setAside(name, aside string, why error) error {
	_, unread := errors.AsType[*fs.PathError](why)
	short := errors.Is(why, syscall.EMFILE) || errors.Is(why, syscall.ENFILE) || errors.Is(why, syscall.ENOMEM)
	if errors.Is(why, fs.ErrNotExist) || short || (!unread && !errors.Is(why, config.ErrDamaged)) {
		return why
	}
	if unread {
		why = fmt.Errorf("%w: %w", config.ErrDamaged, why)
	}
	_ = f.root.RemoveAll(aside) // one is enough to be looked at
	if f.root.Rename(name, aside) != nil {
		return why // it is not served either way
	}
	return fmt.Errorf("%w; it is set aside as %s", why, aside)
}

func (f *Folder) load(namespace config.Name, generation string) (Kept, error) {
	content, err := f.root.ReadFile(string(namespace) + generation)
	if err != nil {
		return Kept{}, fmt.Errorf("read the generation: %w", err)
	}
	snapshot, confirmed, err := Decode(content)
	if err != nil {
		return Kept{}, err
	}
	if snapshot.Namespace != namespace {
		return Kept{}, fmt.Errorf("%w: it is of namespace %s", config.ErrDamaged, snapshot.Namespace)
	}
	if f.require != nil {
		if err := f.require(snapshot); err != nil {
			return Kept{}, err
		}
	}
	return Kept{Snapshot: snapshot, Confirmed: confirmed}, nil
}

// Namespaces returns the namespaces of which the folder has a generation, or had
// one that was set aside.
func (f *Folder) Namespaces() ([]config.Name, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list the folder: %w", err)
	}
	var names []config.Name
	seen := map[config.Name]bool{}
	for _, entry := range entries {
		stem, ok := "", false
		for _, suffix := range []string{current, previous, damaged, damagedPrevious} {
			if !ok {
				stem, ok = strings.CutSuffix(entry.Name(), suffix)
			}
		}
		name, err := config.ParseName(stem)
		if ok && err == nil && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}
