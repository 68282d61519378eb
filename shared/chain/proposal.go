package chain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Proposal is one that waits for an approval, or what became of it.
type Proposal struct {
	ID        int64     `json:"id"`
	Namespace string    `json:"namespace"`
	State     string    `json:"state"`
	At        time.Time `json:"at"`
	Author    string    `json:"author"`
	Message   string    `json:"message"`
	Epoch     string    `json:"epoch"`
	Base      int64     `json:"base_revision"`
	Strict    bool      `json:"strict"`
	Force     bool      `json:"force"`
	DecidedAt time.Time `json:"decided_at"`
	DecidedBy string    `json:"decided_by"`
	Reason    string    `json:"reason"`
	Revision  int64     `json:"revision"` // that its approval made
	// Changes are without documents in a list, and where it was approved.
	Changes []Change `json:"changes"`
}

// OpenProposal reads the body of …/proposals/{proposal}, or one of a list.
func OpenProposal(body []byte) (p Proposal, err error) {
	if err := json.Unmarshal(body, &p); err != nil {
		return p, fmt.Errorf("read a proposal: %w", err)
	}
	return p, nil
}

// Target is what the audit calls it.
func (p Proposal) Target() string { return fmt.Sprintf("%s#%d", p.Namespace, p.ID) }

// Approved reports whether it became a commit, which has its documents.
func (p Proposal) Approved() bool { return p.State == "approved" }

// decisions are the actions that the audit has for the states of what was decided.
var decisions = map[string]string{"approved": "proposal.approve", "rejected": "proposal.reject", "withdrawn": "proposal.withdraw"}

// Sum is the hash that the proposal must have. Its changes need their documents.
func (p Proposal) Sum() string {
	return sum("", append([]string{
		"herald-proposal-v1", p.Namespace, strconv.FormatInt(p.ID, 10), p.Epoch, strconv.FormatInt(p.Base, 10),
		strconv.FormatBool(p.Strict), strconv.FormatBool(p.Force), stamp(p.At), p.Author, p.Message,
	}, fieldsOf(p.Changes)...)...)
}

// Proposal says of which proposal the entry tells, if it tells of one.
func (e Entry) Proposal() (target string, ok bool) {
	return e.Target, strings.HasPrefix(e.Action, "proposal.") && e.Outcome == "done" && strings.Contains(e.Target, "#")
}

// Proposes reports whether the entry tells that a proposal was made.
func (e Entry) Proposes() bool { return e.Action == "proposal.create" }

// Told is the hash that the entry ends in, "" for none.
func (e Entry) Told() string {
	if at := strings.LastIndex(e.Detail, hashMark); at >= 0 {
		return e.Detail[at+len(hashMark):]
	}
	return ""
}

const hashMark = "; hash "

// With is the proposal with the documents of the commit that it became, if that did
// what the proposal says.
func (p Proposal) With(committed []Change) Proposal {
	same := func(a, b Change) bool { return a.Op == b.Op && a.Name == b.Name && a.ETag == b.ETag }
	if slices.EqualFunc(p.Changes, committed, same) {
		p.Changes = committed
	}
	return p
}

// Bare is the proposal without its documents, whose digests it keeps. The error is
// of one that has not the ETag that is named with it.
func (p Proposal) Bare() (Proposal, error) {
	var err error
	if !tagged(p.Changes) {
		err = fmt.Errorf("%w: proposal %s names another ETag than that of its document", ErrBroken, p.Target())
	}
	p.Changes = bare(p.Changes)
	return p, err
}

// Compare holds the proposal against what the audit tells of it: that it was made,
// and how it was decided, nil where it does not tell.
func (p Proposal) Compare(made, decided *Entry) error {
	switch {
	case made == nil:
		return fmt.Errorf("%w: no audit entry tells of proposal %s", ErrBroken, p.Target())
	case made.Told() != p.Sum() || made.Actor != p.Author || !made.At.Equal(p.At):
		return fmt.Errorf("%w: proposal %s is another than the audit tells of", ErrBroken, p.Target())
	case decided == nil && (p.State == "open" || p.State == "expired"):
		return nil
	case decided == nil:
		return fmt.Errorf("%w: proposal %s is %s, and no audit entry tells of it", ErrBroken, p.Target(), p.State)
	case decided.Action != decisions[p.State] || decided.Actor != p.DecidedBy || !decided.At.Equal(p.DecidedAt) || decided.Detail != p.decision():
		return fmt.Errorf("%w: proposal %s was decided otherwise, as the audit tells (%s %s)", ErrBroken, p.Target(), decided.Actor, decided.Action)
	}
	if p.Approved() && (made.Actor == decided.Actor || made.TokenID == decided.TokenID) {
		return fmt.Errorf("%w: proposal %s was approved by its own author, %s", ErrBroken, p.Target(), made.Actor)
	}
	return nil
}

// decision is what the audit has to say of how the proposal was decided.
func (p Proposal) decision() string {
	detail := "by " + p.Author
	if p.Approved() {
		detail += fmt.Sprintf("; made %s@%d", p.Namespace, p.Revision)
	}
	if p.Reason != "" {
		detail += fmt.Sprintf("; because %.300q", p.Reason)
	}
	if p.Approved() {
		detail += hashMark + p.Sum()
	}
	return detail
}

// approval is what the entry of a commit has to say of the proposal that it was.
func (c Commit) approval() string {
	if c.Proposal == 0 {
		return ""
	}
	return fmt.Sprintf("; proposal %d, approved by %s", c.Proposal, c.ApprovedBy)
}

// Compare holds a commit against the audit's entry of it.
func (c Commit) Compare(told Entry) error {
	other := told.Told() != c.Hash
	approved := strings.Contains(told.Detail, "; proposal ")
	if other || approved != (c.Proposal != 0) || !strings.HasSuffix(told.Detail, c.approval()+hashMark+c.Hash) {
		return fmt.Errorf("%w: revision %d of %s is another than the audit tells of", ErrBroken, c.Revision, c.Namespace)
	}
	return nil
}
