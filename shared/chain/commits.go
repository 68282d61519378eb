package chain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

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

// tagged reports whether documents have the ETags that are named with them.
func tagged(changes []Change) bool {
	return !slices.ContainsFunc(changes, func(c Change) bool {
		return c.MediaType != "" && c.Dropped == "" && c.ETag != string(c.Document.ETag())
	})
}

// bare are the changes without their documents, whose digests they keep.
func bare(changes []Change) []Change {
	kept := slices.Clone(changes)
	for i, c := range kept {
		if c.MediaType != "" {
			kept[i].Dropped, kept[i].Body = c.digest(), nil
		}
	}
	return kept
}

// Bare are the commit's changes without their documents, whose digests they keep.
func (c Commit) Bare() []Change { return bare(c.Changes) }

// A Commit is one of a namespace's history, with its documents.
type Commit struct {
	Namespace, Epoch string
	Revision         int64     `json:"revision"`
	At               time.Time `json:"at"`
	Author           string    `json:"author"`
	Message          string    `json:"message"`
	Hash             string    `json:"hash"`
	Previous         string    `json:"previous"`
	Proposal         int64     `json:"proposal"` // that it was, 0 for none
	ApprovedBy       string    `json:"approved_by"`
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
	return sum(c.Previous, append(fields, fieldsOf(c.Changes)...)...)
}

func fieldsOf(changes []Change) (fields []string) {
	for _, change := range changes {
		fields = append(fields, change.Op, change.Name)
		if change.MediaType != "" {
			fields = append(fields, change.MediaType, change.digest())
		}
	}
	return fields
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
	if !tagged(c.Changes) {
		found("revision %d of %s names another ETag than that of its document", c.Revision, c.Namespace)
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
