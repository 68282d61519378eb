//go:build !unix

package repository

import "os"

// lockFile has no lock to take here: SQLite's own still keep the file whole.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
