package domain

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
)

// Sum is the hash of what the proposal asks for, by whom and on which base. The
// audit has it where it is made and where it is approved, so that nobody can put
// something else in its place unseen.
func (p Proposed) Sum() Hash {
	var b []byte
	for _, field := range []string{
		"herald-proposal-v1", string(p.Namespace), strconv.FormatInt(p.ID, 10), string(p.Base.Epoch),
		strconv.FormatInt(int64(p.Base.Revision), 10), strconv.FormatBool(p.Strict), strconv.FormatBool(p.Force),
		p.At.UTC().Format(time.RFC3339Nano), p.Author.Name, p.Message,
	} {
		b = appendNetstring(b, field)
	}
	return sha256.Sum256(appendChanges(b, p.All()))
}

// What the audit calls what becomes of a proposal.
var proposalActions = map[ProposalState]string{
	ProposalOpen:      "proposal.create",
	ProposalApproved:  "proposal.approve",
	ProposalRejected:  "proposal.reject",
	ProposalWithdrawn: "proposal.withdraw",
}

// Entry tells of the proposal's state: that it was made, or how it was decided.
func (p Proposed) Entry() Entry {
	e := Entry{
		At: p.Decision.At, Actor: p.By, Action: proposalActions[p.State], Outcome: OutcomeDone,
		Target: fmt.Sprintf("%s#%d", p.Namespace, p.ID), Detail: "by " + p.Author.Name,
	}
	switch p.State {
	case ProposalOpen:
		e.At, e.Actor = p.At, p.Author
		e.Detail = fmt.Sprintf("%s; on revision %d", told(p.All()), p.Base.Revision)
		if p.Force {
			e.Detail += "; forced"
		}
	case ProposalApproved:
		e.Detail += fmt.Sprintf("; made %s@%d", p.Namespace, p.Made)
	}
	if p.Decision.Message != "" {
		e.Detail += fmt.Sprintf("; because %.300q", p.Decision.Message)
	}
	if p.State == ProposalOpen || p.State == ProposalApproved { // with the documents at hand
		sum, _ := p.Sum().MarshalText() // it never fails
		e.Detail += "; hash " + string(sum)
	}
	return e
}
