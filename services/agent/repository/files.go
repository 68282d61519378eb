package repository

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/heraldconf/herald/services/agent/domain"
)

// Files are the files of the host that an agent makes. Each is reached through an
// os.Root of the folder that it may not leave, opened anew for each step: no
// symbolic link leads elsewhere, whenever it was put there.
type Files struct{}

// besideName is what a file is called until it takes its place. It begins with a
// dot and ends with no suffix that anybody includes.
func besideName(to string) string { return "." + filepath.Base(to) + ".herald-new" }

// Read returns what stands at the file's path.
func (Files) Read(f domain.File) (v domain.Version, err error) {
	folder, err := openFolder(f)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	v, _, err = read(folder, filepath.Base(f.To))
	return v, err
}

// read also returns what the system says of the file, nil for none. What is no
// plain file is nothing to read, and nothing to replace.
func read(folder *os.Root, name string) (v domain.Version, info fs.FileInfo, err error) {
	info, err = folder.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil, nil
	}
	if err != nil {
		return v, nil, err
	}
	if !info.Mode().IsRegular() {
		return v, nil, fmt.Errorf("there is no plain file but %s", kind(info.Mode()))
	}
	// Without O_NONBLOCK a pipe that was put there meanwhile would hold the agent.
	file, err := folder.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return v, nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err := io.ReadAll(io.LimitReader(file, domain.MaxFileSize+1))
	if err != nil {
		return v, nil, err
	}
	if len(content) > domain.MaxFileSize {
		return v, nil, fmt.Errorf("what stands there is larger than %d bytes", domain.MaxFileSize)
	}
	return domain.Version{Present: true, Mode: info.Mode().Perm(), Content: content}, info, nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link; name what it leads to"
	}
	return "a device, pipe or socket"
}

// Replace writes a version beside, asks about its path, and puts it in place where
// the answer is nil.
func (Files) Replace(f domain.File, v domain.Version, ask func(beside string) error) (err error) {
	folder, err := openFolder(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	name, beside := filepath.Base(f.To), besideName(f.To)
	if !v.Present {
		if err := folder.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncFolder(folder)
	}
	_, old, err := read(folder, name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = folder.Remove(beside) // it may be gone already
		}
	}()
	if err := writeBeside(folder, beside, v, old); err != nil {
		return err
	}
	if err := ask(filepath.Join(filepath.Dir(f.To), beside)); err != nil {
		return err
	}
	if err := folder.Rename(beside, name); err != nil {
		return err
	}
	return syncFolder(folder)
}

// writeBeside makes the new file, which belongs to whom the old one belonged to,
// as far as the agent may give it away.
func writeBeside(folder *os.Root, name string, v domain.Version, old fs.FileInfo) (err error) {
	if err := folder.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if old != nil {
		if owner, ok := old.Sys().(*syscall.Stat_t); ok {
			_ = file.Chown(int(owner.Uid), int(owner.Gid)) // only root may, and only root need
		}
	}
	if _, err := file.Write(v.Content); err != nil {
		return err
	}
	if err := file.Chmod(v.Mode); err != nil {
		return err
	}
	return file.Sync()
}

// Discard removes what a process that was killed left beside the file.
func (Files) Discard(f domain.File) (err error) {
	folder, err := openFolder(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if err := folder.Remove(besideName(f.To)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// openFolder opens the folder of a file, which it stays in whatever happens to the
// folder's name meanwhile.
func openFolder(f domain.File) (*os.Root, error) {
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, err
	}
	inside, err := filepath.Rel(f.Root, filepath.Dir(f.To))
	if err != nil || inside == "." {
		return root, err
	}
	folder, err := root.OpenRoot(inside)
	return folder, errors.Join(err, root.Close())
}

func syncFolder(folder *os.Root) (err error) {
	self, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, self.Close()) }()
	return self.Sync()
}
