package chain

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

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
