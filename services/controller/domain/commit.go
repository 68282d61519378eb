package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// An Op is what a change does to a config.
type Op string

// The two changes there are.
const (
	Put    Op = "put"
	Delete Op = "delete"
)

// A Change is what a commit does to one config, or to one schema.
type Change struct {
	Op   Op
	Name config.Name
	ETag config.ETag // of the document that is put, or of the one that is deleted
	// Creates says of a put that nothing stood there before. History does not keep it.
	Creates bool
	// Dropped is the digest of a document that was compacted away; nil while it is there.
	Dropped *config.Digest
	config.Document
}

// Digest is that of the change's document, be it there or not.
func (c Change) Digest() config.Digest {
	if c.Dropped != nil {
		return *c.Dropped
	}
	return config.DigestOf(c.Body)
}

// A Commit is the write that made a revision. It is immutable.
type Commit struct {
	Namespace config.Name
	config.Position
	At       time.Time // in UTC, whole milliseconds
	Author   string
	Actor    Actor // who made it; the audit keeps it, history does not
	Message  string
	Changes  []Change // of configs
	Schemas  []Change // of schemas
	Previous Hash     // of the commit before; zero for the first
	Hash     Hash
	Receipt  *Receipt // kept with the commit, and no part of it; nil for none
	// Signature is of the snapshot that the commit makes: kept with the commit, and
	// no part of it.
	Signature config.Signature
	// Approval is that of the proposal that the commit was; nil where it was none.
	Approval *Approval
	// Unapproved says that the namespace is protected, and that whoever made the
	// commit needed no approval. The audit keeps it, history does not.
	Unapproved bool
	// Waiting is the proposal that was kept in the place of the commit; nil for none.
	// The commit then is at the position that the namespace still has.
	Waiting *Proposed
}

// Changed reports whether the commit makes a revision. One that would change
// nothing has the position that the namespace stands at already.
func (c Commit) Changed() bool { return len(c.Changes)+len(c.Schemas) > 0 }

// All are the changes of configs, then those of schemas: the order in which they
// are listed, and in which they enter the hash.
func (c Commit) All() []Change { return slices.Concat(c.Changes, c.Schemas) }

// Puts reports whether the change brings a document along.
func (c Change) Puts() bool { return c.Op == Put || c.Op == PutSchema }

// Whole returns an error that wraps ErrCompacted for a commit that lacks a document.
func (c Commit) Whole() error {
	for _, change := range c.All() {
		if change.Dropped != nil {
			return Compacted(c.Namespace, change.Name, c.Revision)
		}
	}
	return nil
}

// A Hash identifies a commit and, through its predecessor's hash, all before it.
type Hash [sha256.Size]byte

// MarshalText writes the hash in lower-case hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// Sum returns the hash that the commit must have: SHA-256 over the previous hash
// and the commit's canonical bytes. A document enters by its own SHA-256.
func (c Commit) Sum() Hash {
	h := sha256.New()
	h.Write(c.Previous[:])
	h.Write(c.canonical())
	return Hash(h.Sum(nil))
}

// canonical is the commit as netstrings (length, colon, bytes, comma), which
// leave no two ways to read them: a tag, then each field, then each change.
func (c Commit) canonical() []byte {
	var b []byte
	for _, field := range []string{
		"herald-commit-v1", string(c.Epoch), string(c.Namespace), strconv.FormatInt(int64(c.Revision), 10),
		c.At.UTC().Format(time.RFC3339Nano), c.Author, c.Message,
	} {
		b = appendNetstring(b, field)
	}
	return appendChanges(b, c.All())
}

func appendChanges(b []byte, changes []Change) []byte {
	for _, change := range changes {
		b = appendNetstring(b, string(change.Op))
		b = appendNetstring(b, string(change.Name))
		if change.Puts() {
			b = appendNetstring(b, change.MediaType)
			b = appendNetstring(b, change.Digest().Hex())
		}
	}
	return b
}

func appendNetstring(b []byte, s string) []byte {
	b = append(strconv.AppendInt(b, int64(len(s)), 10), ':')
	return append(append(b, s...), ',')
}

// MarshalJSON writes the commit as history lists it: without the documents.
func (c Commit) MarshalJSON() ([]byte, error) {
	type change struct {
		Op   Op          `json:"op"`
		Name config.Name `json:"name"`
		ETag config.ETag `json:"etag,omitempty"`
	}
	line := struct {
		Revision config.Revision `json:"revision"`
		At       time.Time       `json:"at"`
		Author   string          `json:"author"`
		Message  string          `json:"message"`
		Hash     Hash            `json:"hash"`
		Proposal int64           `json:"proposal,omitempty"`
		Approved string          `json:"approved_by,omitempty"`
		Changes  []change        `json:"changes"`
	}{Revision: c.Revision, At: c.At, Author: c.Author, Message: c.Message, Hash: c.Hash, Changes: make([]change, 0, len(c.Changes)+len(c.Schemas))}
	if c.Approval != nil {
		line.Proposal, line.Approved = c.Approval.Proposal, c.Approval.By.Name
	}
	for _, ch := range c.All() {
		listed := change{Op: ch.Op, Name: ch.Name}
		if ch.Puts() {
			listed.ETag = ch.ETag
		}
		line.Changes = append(line.Changes, listed)
	}
	return json.Marshal(line)
}
