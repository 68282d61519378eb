package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// The files of a folder. What was followed from given keys is none that anybody
// pinned, and what is only passed on is neither.
const (
	Pinned   = "pinned-keys.json"
	followed = "followed-keys.json"
	passed   = "passed-keys.json"
)

// ErrNoKeys means that there are no keys to pass on, and none can be had now.
var ErrNoKeys = errors.New("no signing keys yet")

const (
	// askEvery is the least time between two questions for keys.
	askEvery = time.Second
	// saveEvery is how often keys are tried to be kept that could not be.
	saveEvery = 10 * time.Second
)

// A Folder keeps small files: whole or not at all, and on disk once it says so.
// The error of a file that is not there is fs.ErrNotExist.
type Folder interface {
	ReadFile(name string) ([]byte, error)
	WriteFile(name string, content []byte) error
}

// A Trust says whose signatures count. It is safe for several goroutines.
type Trust struct {
	setting Setting
	folder  Folder // nil keeps nothing
	ask     func(context.Context) (config.Keys, error)
	logger  *slog.Logger

	mu      sync.RWMutex
	known   config.Keys          // those that count, newest first
	passed  config.Keys          // what upstream lists, where nothing counts or all does
	retried map[config.Name]bool // what was asked for anew while no key counted

	asking   sync.Mutex // held while keys are learned; what is below is under it
	asked    time.Time
	answer   config.Keys
	failure  error
	unsaved  bool
	saved    time.Time // when that was tried last
	unsigned bool      // whether it was told that nothing is signed
}

// Open returns the trust of a setting, with what the folder has of it. ask asks
// upstream for its keys. It fails where the folder's keys cannot be read: to pin
// others in their place would be to believe whoever comes next.
func Open(setting Setting, folder Folder, ask func(context.Context) (config.Keys, error), logger *slog.Logger) (*Trust, error) {
	t := &Trust{setting: setting, folder: folder, ask: ask, logger: logger, known: setting.given, retried: map[config.Name]bool{}}
	kept, err := t.load(t.file())
	switch {
	case errors.Is(err, config.ErrKeys) && !t.pins():
		logger.Warn("the keys that were learned are damaged, and will be asked for again", "file", t.file(), "error", err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w; restore it, or remove it to pin the keys that are seen next", t.file(), err)
	case setting.nobody:
		t.passed = kept
	case t.pins():
		t.known = kept
	default: // what is kept vouches for nothing by itself
		if t.known, err = setting.given.Extend(kept); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// file is where what is learned is kept.
func (t *Trust) file() string {
	switch {
	case t.setting.nobody:
		return passed
	case t.pins():
		return Pinned
	}
	return followed
}

// pins reports whether the keys that are seen first are to be pinned.
func (t *Trust) pins() bool { return !t.setting.nobody && len(t.setting.given) == 0 }

func (t *Trust) load(name string) (config.Keys, error) {
	if t.folder == nil {
		return nil, nil
	}
	body, err := t.folder.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return config.ParseKeys(body)
}

// keys returns those that count.
func (t *Trust) keys() config.Keys {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.known
}

// Verify returns nil if the snapshot may be used, by what is known here, as it was
// kept: signed by a key that counts, or none counts yet. Otherwise the error wraps
// config.ErrSignature.
func (t *Trust) Verify(s *config.Snapshot) error {
	if known := t.keys(); len(known) > 0 && !t.setting.nobody {
		return s.Verify(known)
	}
	return nil
}

// Check returns nil if a snapshot that was fetched may be kept. It asks for keys
// where it is signed by one that is not known. Otherwise the error wraps
// config.ErrSignature.
func (t *Trust) Check(ctx context.Context, s *config.Snapshot) error {
	if t.setting.nobody {
		return nil
	}
	known := t.keys()
	if len(known) > 0 {
		if err := s.Verify(known); !errors.Is(err, config.ErrUnknownKey) {
			return err
		}
	}
	t.asking.Lock()
	defer t.asking.Unlock()
	defer t.saveAgain()
	if known = t.keys(); len(known) == 0 {
		return t.first(ctx, s)
	}
	return t.follow(ctx, s, known)
}

// Keys returns the keys to pass on to who pulls from here: what upstream has, as
// far as it counts here, or what is known while upstream does not answer. It fails
// with an error that wraps ErrNoKeys.
func (t *Trust) Keys(ctx context.Context) (config.Keys, error) {
	t.asking.Lock()
	defer t.asking.Unlock()
	offered, err := t.learn(ctx)
	switch known := t.keys(); {
	case err != nil:
	case len(known) > 0:
		_, err = t.extend(known, offered)
	default: // nothing counts here, and they are passed on as they are
		t.pass(offered)
	}
	t.saveAgain()
	if current := t.current(); len(current) > 0 {
		return current, nil
	}
	return nil, fmt.Errorf("%w: %w", ErrNoKeys, err)
}

func (t *Trust) pass(keys config.Keys) {
	t.mu.Lock()
	same := len(t.passed) == len(keys) && (len(keys) == 0 || t.passed[0].ID == keys[0].ID)
	t.passed = keys
	t.mu.Unlock()
	if !same && t.setting.nobody {
		t.unsaved, t.saved = true, time.Time{}
	}
}

// Anew reports whether a snapshot that is held is to be fetched again though it is
// unchanged: where none of the keys that count vouches for it, and, while none
// counts yet, once for each namespace, so that one comes to be pinned.
func (t *Trust) Anew(held *config.Snapshot) bool {
	if t.setting.nobody {
		return false
	}
	if known := t.keys(); len(known) > 0 {
		return held.Verify(known) != nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	retried := t.retried[held.Namespace]
	t.retried[held.Namespace] = true
	return !retried
}
