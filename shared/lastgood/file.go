package lastgood

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// WriteFile replaces a file of the folder whole or not at all. When it returns
// nil the content is on disk.
func (f *Folder) WriteFile(name string, content []byte) error {
	defer f.lock(name)()
	if err := f.write(name+beside, content); err != nil {
		return err
	}
	if err := f.root.Rename(name+beside, name); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	return f.sync()
}

// ReadFile returns a file of the folder; the error may be fs.ErrNotExist.
func (f *Folder) ReadFile(name string) ([]byte, error) { return f.root.ReadFile(name) }

// lock keeps two writers of this process out of one file, and returns what lets
// the next one in.
func (f *Folder) lock(name string) (unlock func()) {
	held, _ := f.writers.LoadOrStore(name, new(sync.Mutex))
	mutex := held.(*sync.Mutex) // nothing else is stored
	mutex.Lock()
	return mutex.Unlock
}

// write leaves nothing behind where it fails: on a full disk the part that was
// written is the room that others need.
func (f *Folder) write(name string, content []byte) (err error) {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write beside: %w", err)
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			_ = f.root.Remove(name)
		}
	}()
	if _, err := file.Write(content); err != nil {
		return fmt.Errorf("write beside: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// retire makes the current generation the previous one too. It is a link, so that
// at no moment there is none; a file system without links gets a rename. Where
// the current one was set aside, the previous one stays.
func (f *Folder) retire(name string) error {
	_ = f.root.Remove(name + retiring) // of a process that was killed here
	err := f.root.Link(name+current, name+retiring)
	switch {
	case err == nil:
		return f.root.Rename(name+retiring, name+previous)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return f.root.Rename(name+current, name+previous)
}

// sync makes renames last.
func (f *Folder) sync() (err error) {
	folder, err := f.root.Open(".")
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("sync the folder: %w", err)
	}
	return nil
}
