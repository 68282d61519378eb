// Package chain works out anew the hashes by which the audit's entries and a
// namespace's commits are chained, from what the controller says of them: so
// whoever verifies them need not trust the controller. It knows no HTTP, and
// shares no code with what made the hashes; docs/protocol.md says how they are made.
package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
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

// An Entry is one of the audit.
type Entry struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`
	TokenID  string    `json:"token_id"`
	Role     string    `json:"role"`
	Action   string    `json:"action"`
	Target   string    `json:"target"`
	Outcome  string    `json:"outcome"`
	Detail   string    `json:"detail"`
	Previous string    `json:"previous"`
	Hash     string    `json:"hash"`
}

// Sum is the hash that the entry must have.
func (e Entry) Sum() string {
	return sum(e.Previous, "herald-audit-v1", strconv.FormatInt(e.Seq, 10), stamp(e.At),
		e.Actor, e.TokenID, e.Role, e.Action, e.Target, e.Outcome, e.Detail)
}

// Commit says which revision of which namespace the entry tells of, if it tells of
// a commit.
func (e Entry) Commit() (namespace string, revision int64, ok bool) {
	namespace, number, both := strings.Cut(e.Target, "@")
	revision, err := strconv.ParseInt(number, 10, 64)
	return namespace, revision, both && err == nil && e.Action == "commit" && e.Outcome == "done"
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// Compaction says up to which revision of which namespace documents were dropped, if
// the entry tells of that.
func (e Entry) Compaction() (namespace string, revision int64, ok bool) {
	namespace, number, both := strings.Cut(e.Target, "@")
	revision, err := strconv.ParseInt(number, 10, 64)
	return namespace, revision, both && err == nil && e.Action == "namespace.compact" && e.Outcome == "done"
}

// A Head is where the chain of the audit ends.
type Head struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Entries walks the audit backwards, from its head to the first entry.
type Entries struct {
	head  Head
	newer *Entry
}

// NewEntries begins at the head.
func NewEntries(head Head) *Entries { return &Entries{head: head} }

// Next takes the next older entry. It returns errors that wrap ErrBroken, each of
// which names an entry.
func (w *Entries) Next(e Entry) []error {
	var errs []error
	found := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrBroken}, args...)...))
	}
	want, hash := w.head.Seq, w.head.Hash
	if w.newer != nil {
		want, hash = w.newer.Seq-1, w.newer.Previous
	}
	switch {
	case e.Seq < want-1:
		found("audit entries %d to %d are missing", e.Seq+1, want)
	case e.Seq < want:
		found("audit entry %d is missing", want)
	case e.Seq > want:
		found("audit entry %d stands behind the end of the chain, which is %d", e.Seq, want)
	}
	switch {
	case e.Hash != e.Sum():
		found("audit entry %d (%s %s %s) was changed", e.Seq, e.Actor, e.Action, e.Target)
	case e.Seq == want && e.Hash != hash:
		found("audit entry %d is not the one that entry %d was written behind", e.Seq, e.Seq+1)
	}
	w.newer = &e
	return errs
}

// End is called behind the oldest entry.
func (w *Entries) End() error {
	switch {
	case w.newer == nil && w.head.Seq > 0:
		return fmt.Errorf("%w: audit entries 1 to %d are missing", ErrBroken, w.head.Seq)
	case w.newer != nil && w.newer.Seq > 1:
		return fmt.Errorf("%w: audit entries 1 to %d are missing", ErrBroken, w.newer.Seq-1)
	case w.newer != nil && w.newer.Previous != none:
		return fmt.Errorf("%w: audit entry 1 is not the first", ErrBroken)
	}
	return nil
}

// A Change is what a commit does to a config or a schema.
type Change struct {
	Op   string
	Name string
	ETag string
	// Dropped is the digest of a document that was compacted away, "" while it is there.
	Dropped string
	config.Document
}

// digest is that of the change's document, be it there or not.
func (c Change) digest() string {
	if c.Dropped != "" {
		return c.Dropped
	}
	return config.DigestOf(c.Body).Hex()
}

// A Commit is one of a namespace's history, with its documents.
type Commit struct {
	Namespace, Epoch string
	Revision         int64     `json:"revision"`
	At               time.Time `json:"at"`
	Author           string    `json:"author"`
	Message          string    `json:"message"`
	Hash             string    `json:"hash"`
	Previous         string    `json:"previous"`
	Changes          []Change  `json:"changes"`
}

// OpenCommit reads the body of …/revisions/{revision}.
func OpenCommit(body []byte, namespace, epoch string) (Commit, error) {
	c := Commit{Namespace: namespace, Epoch: epoch}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, fmt.Errorf("read a commit of %s: %w", namespace, err)
	}
	return c, nil
}

// UnmarshalJSON reads a change with its document as it was written: a JSON
// document is all that lies between the colon and the end of the change.
func (c *Change) UnmarshalJSON(body []byte) error {
	var said struct {
		Op, Name, ETag, MediaType string
		Value                     json.RawMessage
		Text, Base64              *string
		Compacted                 bool
		SHA256                    string
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return err
	}
	*c = Change{Op: said.Op, Name: said.Name, ETag: said.ETag, Document: config.Document{MediaType: said.MediaType}}
	switch {
	case said.Compacted:
		c.Dropped = said.SHA256
	case said.Text != nil:
		c.Body = []byte(*said.Text)
	case said.Base64 != nil:
		decoded, err := base64.StdEncoding.DecodeString(*said.Base64)
		if err != nil {
			return err
		}
		c.Body = decoded
	case said.Value != nil:
		c.Body = around(body, said.Value)
	}
	return nil
}

// around is the value with the white space around it. It is the last member of
// its object, which nothing stands behind.
func around(body, value []byte) []byte {
	end := len(body) - 1 // the brace
	from := bytes.LastIndex(body, value)
	if from < 0 || len(bytes.TrimSpace(body[from+len(value):end])) > 0 {
		return value
	}
	for from > 0 && bytes.IndexByte([]byte(" \t\r\n"), body[from-1]) >= 0 {
		from--
	}
	return body[from:end]
}

// Compacted reports whether documents of the commit were dropped.
func (c Commit) Compacted() bool {
	return slices.ContainsFunc(c.Changes, func(change Change) bool { return change.Dropped != "" })
}

// Sum is the hash that the commit must have.
func (c Commit) Sum() string {
	fields := []string{
		"herald-commit-v1", c.Epoch, c.Namespace, strconv.FormatInt(c.Revision, 10), stamp(c.At), c.Author, c.Message,
	}
	for _, change := range c.Changes {
		fields = append(fields, change.Op, change.Name)
		if change.MediaType != "" {
			fields = append(fields, change.MediaType, change.digest())
		}
	}
	return sum(c.Previous, fields...)
}

// Commits walks a namespace's history backwards, from its newest revision to the
// first.
type Commits struct {
	namespace string
	newest    int64
	newer     *Commit
}

// NewCommits begins at the newest revision.
func NewCommits(namespace string, newest int64) *Commits {
	return &Commits{namespace: namespace, newest: newest}
}

// Next takes the next older commit. It returns errors that wrap ErrBroken, each of
// which names a revision.
func (w *Commits) Next(c Commit) []error {
	var errs []error
	found := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrBroken}, args...)...))
	}
	want := w.newest
	if w.newer != nil {
		want = w.newer.Revision - 1
	}
	if c.Revision != want {
		found("%s has revision %d where %d belongs", c.Namespace, c.Revision, want)
	}
	if c.Hash != c.Sum() {
		found("revision %d of %s was changed", c.Revision, c.Namespace)
	}
	for _, change := range c.Changes {
		if change.MediaType != "" && change.Dropped == "" && change.ETag != string(change.Document.ETag()) {
			found("revision %d of %s names another ETag than that of %s", c.Revision, c.Namespace, change.Name)
		}
	}
	if w.newer != nil && w.newer.Previous != "" && w.newer.Revision == c.Revision+1 && w.newer.Previous != c.Hash {
		found("revision %d of %s is not the one that revision %d was made on", c.Revision, c.Namespace, w.newer.Revision)
	}
	w.newer = &c
	return errs
}

// Skip goes on behind a commit that cannot be had: it is missing, or no commit.
func (w *Commits) Skip(revision int64) { w.newer = &Commit{Revision: revision} }

// End is called behind the oldest commit.
func (w *Commits) End() error {
	switch {
	case w.newer == nil:
		return fmt.Errorf("%w: %s has no history", ErrBroken, w.namespace)
	case w.newer.Revision > 1:
		return fmt.Errorf("%w: revisions 1 to %d of %s are missing", ErrBroken, w.newer.Revision-1, w.namespace)
	case w.newer.Previous != "" && w.newer.Previous != none:
		return fmt.Errorf("%w: revision 1 of %s is not the first", ErrBroken, w.namespace)
	}
	return nil
}
