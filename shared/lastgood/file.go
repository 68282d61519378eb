package lastgood

import (
	"errors"
	"fmt"
	"os"
)

// WriteFile replaces a file of the folder whole or not at all. When it returns
// nil the content is on disk.
func (f *Folder) WriteFile(name string, content []byte) error {
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

func (f *Folder) write(name string, content []byte) (err error) {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write beside: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(content); err != nil {
		return fmt.Errorf("write beside: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
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
