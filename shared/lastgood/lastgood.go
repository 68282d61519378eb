// Package lastgood keeps the last good snapshot of each namespace in a folder,
// so that a program that restarts with nothing else alive goes on where it was.
// It knows files and nothing of HTTP: it depends on the standard library alone.
//
// A namespace has two generations, each one file with ETag and body: NAME.snapshot
// and the one before it, NAME.previous. A file is written beside, synced, renamed,
// and its folder is synced, so that a kill or a power cut leaves the old one or the
// new one. A file that does not verify is set aside as NAME.damaged.
package lastgood

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

const (
	format   = "herald-snapshot-1"
	current  = ".snapshot"
	previous = ".previous"
	damaged  = ".damaged"
	beside   = ".new"
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
	root *os.Root
}

// Open opens a folder, and makes it where it is missing.
func Open(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	f := &Folder{root: root}
	if err := f.WriteFile("probe", []byte("writable\n")); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("write to %s: %w", filepath.Clean(path), err)
	}
	return f, root.Remove("probe")
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// header is the first line of a file. The body follows it.
type header struct {
	Format    string          `json:"format"`
	Namespace config.Name     `json:"namespace"`
	ETag      config.ETag     `json:"etag"`
	Epoch     config.Epoch    `json:"epoch"`
	Revision  config.Revision `json:"revision"`
	SHA256    string          `json:"sha256"`
	Length    int             `json:"length"`
	Confirmed time.Time       `json:"confirmed"`
}

// Save keeps a snapshot. When it returns nil the snapshot is on disk.
func (f *Folder) Save(s *config.Snapshot, confirmed time.Time) error {
	name := string(s.Namespace)
	if err := f.write(name+beside, Encode(s, confirmed)); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := f.root.Rename(name+current, name+previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep the former %s: %w", name, err)
	}
	if err := f.root.Rename(name+beside, name+current); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return f.sync()
}

// Load returns what the folder has of a namespace: the newest generation, or the
// one before it where the newest is damaged. It returns an error that wraps
// ErrNone if there is neither.
func (f *Folder) Load(namespace config.Name) (Kept, error) {
	kept, err := f.load(namespace, current)
	if err == nil {
		return kept, nil
	}
	damage := err
	if !errors.Is(err, fs.ErrNotExist) {
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

// Encode returns a generation's file: a line of JSON and the body.
func Encode(s *config.Snapshot, confirmed time.Time) []byte {
	line, err := json.Marshal(header{
		Format: format, Namespace: s.Namespace, ETag: s.ETag, Epoch: s.Epoch, Revision: s.Revision,
		SHA256: s.Digest.Hex(), Length: len(s.Body), Confirmed: confirmed.UTC(),
	})
	if err != nil {
		panic("lastgood: " + err.Error()) // our own type always encodes
	}
	return bytes.Join([][]byte{line, s.Body}, []byte{'\n'})
}

// Decode reads a generation's file and verifies all that it says of its body. It
// returns an error that wraps config.ErrDamaged where any of it is not so.
func Decode(content []byte) (*config.Snapshot, time.Time, error) {
	line, body, found := bytes.Cut(content, []byte{'\n'})
	var h header
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil || !found || h.Format != format {
		return nil, time.Time{}, fmt.Errorf("%w: its first line is not that of %s", config.ErrDamaged, format)
	}
	if len(body) != h.Length || config.DigestOf(body).Hex() != h.SHA256 {
		return nil, time.Time{}, fmt.Errorf("%w: length or digest differ", config.ErrDamaged)
	}
	snapshot, err := config.Open(body)
	if err != nil {
		return nil, time.Time{}, err
	}
	if snapshot.Namespace != h.Namespace || snapshot.Epoch != h.Epoch || snapshot.Revision != h.Revision || h.ETag == "" {
		return nil, time.Time{}, fmt.Errorf("%w: its first line speaks of another one", config.ErrDamaged)
	}
	snapshot.ETag = h.ETag
	return snapshot, h.Confirmed, nil
}
