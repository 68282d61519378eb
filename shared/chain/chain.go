// Package chain works out anew the hashes by which the audit's entries and a
// namespace's commits are chained, from what the controller says of them: so
// whoever verifies them need not trust the controller. It knows no HTTP, and
// shares no code with what made the hashes; docs/protocol.md says how they are made.
package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"
)

// ErrBroken means that something was changed, left out or moved.
var ErrBroken = errors.New("the chain is broken")

// none is the hash before the first.
var none = hex.EncodeToString(make([]byte, sha256.Size))

// sum is the hash of these fields behind that of the one before.
func sum(previous string, fields ...string) string {
	before, err := hex.DecodeString(previous)
	if err != nil {
		return ""
	}
	for _, field := range fields {
		before = append(strconv.AppendInt(before, int64(len(field)), 10), ':')
		before = append(append(before, field...), ',')
	}
	digest := sha256.Sum256(before)
	return hex.EncodeToString(digest[:])
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
