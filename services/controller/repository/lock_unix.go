//go:build unix

package repository

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock that keeps a second controller off the database: each
// would serve from its own memory what the other has long changed. The lock ends
// with the process, however that ends.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, plain(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, errors.New("another controller uses it: stop that one, or choose another place with --db")
	}
	return file, nil
}
