// Package lastgood keeps the last good snapshot of each namespace in a folder,
// so that a program that restarts with nothing else alive goes on where it was.
// It knows files and nothing of HTTP: it depends on the standard library alone.
//
// A namespace has two generations, each one file with ETag and body: NAME.snapshot
// and the one before it, NAME.previous. A file is written beside, synced, renamed,
// and its folder is synced, so that a kill or a power cut leaves the old one or the
// new one. A file that does not verify is set aside as NAME.damaged. One process at
// a time may save to a folder; within it any number of goroutines may use it.
package lastgood

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

const (
	current  = ".snapshot"
	previous = ".previous"
	damaged  = ".damaged"
	beside   = ".new"
	retiring = ".retiring"
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
}

// Open opens a folder, and makes it where it is missing. It fails where nothing
// can be written, but not because the disk is full: what is there can be served.
func Open(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	f := &Folder{root: root}
	if err := f.probe(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("write to %s: %w", filepath.Clean(path), err)
	}
	return f, nil
}

// probe writes and removes a file. Another process may do so at the same time.
func (f *Folder) probe() error {
	const name = ".probe"
	switch err := f.write(name, []byte("writable\n")); {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return nil
	case err != nil:
		return err
	}
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

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
// ErrNone if there is neither.
func (f *Folder) Load(namespace config.Name) (Kept, error) {
	defer f.lock(string(namespace) + current)() // or else a generation that is saved meanwhile would be set aside
	kept, err := f.load(namespace, current)
	if err == nil {
		return kept, nil
	}
	damage := err
	if errors.Is(err, config.ErrDamaged) { // one that cannot be read now may be whole
		_ = f.root.Rename(string(namespace)+current, string(namespace)+damaged) // it cannot get worse
	}
	kept, err = f.load(namespace, previous)
	if err != nil {
		return Kept{}, fmt.Errorf("%w of %s: %w", ErrNone, namespace, damage)
	}
	kept.Previous, kept.Damage = true, damage
	return kept, nil
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
	return Kept{Snapshot: snapshot, Confirmed: confirmed}, nil
}

// Namespaces returns the namespaces of which the folder has a generation.
func (f *Folder) Namespaces() ([]config.Name, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list the folder: %w", err)
	}
	var names []config.Name
	seen := map[config.Name]bool{}
	for _, entry := range entries {
		stem, ok := strings.CutSuffix(entry.Name(), current)
		if !ok {
			stem, ok = strings.CutSuffix(entry.Name(), previous)
		}
		name, err := config.ParseName(stem)
		if ok && err == nil && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}
