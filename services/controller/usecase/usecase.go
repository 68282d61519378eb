// Package usecase is what the controller does: keep configs, announce changes,
// watch the fleet catch up. It knows no HTTP, SQL or Watermill.
package usecase

import "errors"

// What a store may fail with, beside the errors of the domain.
var (
	// ErrUnavailable means that the store cannot be read or written now. Whether a
	// write that fails so was kept after all is not known.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrStorageFull means that the disk has no room. Nothing was written.
	ErrStorageFull = errors.New("no room left on the disk")
)
