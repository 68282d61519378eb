package domain

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What the audit tells of, and how it ended.
const (
	ActionCommit      = "commit"
	ActionTokenCreate = "token.create"
	ActionTokenRevoke = "token.revoke"
	ActionAgentSet    = "agent.set"
	ActionSignIn      = "sign-in"
	ActionKeyRotate   = "signing-key.rotate"
	ActionBackup      = "backup"

	OutcomeDone = "done"
)

// An Entry is a row of the audit: who did what, and how it ended. Each carries the
// hash of the one before, so that none can be changed, left out or moved unseen.
type Entry struct {
	Seq      int64 // 1, 2, 3 …
	At       time.Time
	Actor    Actor
	Action   string
	Target   string // payments/limits, payments@42, a token's ID
	Outcome  string // done, or the code of the refusal
	Detail   string
	Previous Hash
	Hash     Hash
}

// An AuditHead is where the chain of the audit ends. Zero is before the first entry.
type AuditHead struct {
	Seq  int64
	Hash Hash
}

// Follow returns the entry as the next one of the chain behind that head, and
// the head that it makes.
func (h AuditHead) Follow(e Entry) (Entry, AuditHead) {
	e.Seq, e.Previous = h.Seq+1, h.Hash
	e.At = e.At.UTC().Truncate(time.Millisecond)
	e.Hash = e.Sum()
	return e, AuditHead{e.Seq, e.Hash}
}

// Sum returns the hash that the entry must have: SHA-256 over the previous hash
// and the entry's canonical bytes, which are netstrings as those of a commit.
func (e Entry) Sum() Hash {
	h := sha256.New()
	h.Write(e.Previous[:])
	var b []byte
	for _, field := range []string{
		"herald-audit-v1", strconv.FormatInt(e.Seq, 10), e.At.UTC().Format(time.RFC3339Nano),
		e.Actor.Name, e.Actor.TokenID, string(e.Actor.Role), e.Action, e.Target, e.Outcome, e.Detail,
	} {
		b = appendNetstring(b, field)
	}
	h.Write(b)
	return Hash(h.Sum(nil))
}

// maxTold is how many changes of a commit its entry names.
const maxTold = 20

// Entry tells of the commit. It names the commit's hash, which ties the two
// chains together.
func (c Commit) Entry() Entry {
	hash, _ := c.Hash.MarshalText() // it never fails
	actor := c.Actor
	if actor == (Actor{}) {
		actor = Actor{Name: c.Author}
	}
	return Entry{
		At: c.At, Actor: actor, Action: ActionCommit, Target: fmt.Sprintf("%s@%d", c.Namespace, c.Revision), Outcome: OutcomeDone,
		Detail: told(c.All()) + c.approved() + "; hash " + string(hash),
	}
}

// approved tells of a commit to a protected namespace who approved it, or that
// nobody had to.
func (c Commit) approved() string {
	switch {
	case c.Approval != nil:
		return fmt.Sprintf("; proposal %d, approved by %s", c.Approval.Proposal, c.Approval.By.Name)
	case c.Unapproved:
		return "; past the protection of the namespace"
	}
	return ""
}

// told names changes, but not too many of them.
func told(changes []Change) string {
	names := make([]string, 0, min(len(changes), maxTold+1))
	for i, change := range changes {
		if i == maxTold {
			names = append(names, fmt.Sprintf("and %d more", len(changes)-maxTold))
			break
		}
		names = append(names, string(change.Op)+" "+string(change.Name))
	}
	return strings.Join(names, ", ")
}

// Entry tells of what an operator set of the agent.
func (a Agent) Entry(by Actor, at time.Time) Entry {
	assigned := make([]string, 0, len(a.Assigned))
	for i, name := range a.Assigned {
		if i == maxTold {
			assigned = append(assigned, fmt.Sprintf("and %d more", len(a.Assigned)-maxTold))
			break
		}
		assigned = append(assigned, string(name))
	}
	return Entry{
		At: at, Actor: by, Action: ActionAgentSet, Target: a.ID, Outcome: OutcomeDone,
		Detail: fmt.Sprintf("poll interval %s, assigned %s", a.Interval, strings.Join(assigned, ", ")),
	}
}

// Entry tells of something that was done to the token.
func (t Token) Entry(action string, by Actor, at time.Time) Entry {
	detail := fmt.Sprintf("%s %s for %s", t.Role, t.Name, strings.Join(t.Namespaces, ","))
	if !t.ExpiresAt.IsZero() {
		detail += " until " + t.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return Entry{At: at, Actor: by, Action: action, Target: t.ID, Outcome: OutcomeDone, Detail: detail}
}
