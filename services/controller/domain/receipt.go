package domain

import (
	"crypto/sha256"
	"time"
)

// ReceiptsFor is how long a request is answered as it was the first time.
const ReceiptsFor = 24 * time.Hour

// A Request is a write that whoever sends it may send again: a key of the sender's
// tells it from any other.
type Request struct {
	Actor  string // whose key it is
	Method string
	Path   string
	Key    string
}

// A Receipt is how a request was answered, so that it is done once and answered
// as often as it is sent.
type Receipt struct {
	Request
	Sum    Hash   // of all that the request says
	Answer []byte // in the words of whoever answers
	At     time.Time
}

// SumOf returns the hash of what a request says, part by part.
func SumOf(parts ...string) Hash {
	var b []byte
	for _, part := range parts {
		b = appendNetstring(b, part)
	}
	return sha256.Sum256(b)
}
