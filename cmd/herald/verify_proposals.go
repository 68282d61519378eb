package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/chain"
	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

// proposalsFor is how long a proposal waits, and has to be there.
const proposalsFor = 30 * 24 * time.Hour

// noteProposal remembers what the audit tells of a proposal.
func (v *verifier) noteProposal(e chain.Entry) {
	target, ok := e.Proposal()
	switch {
	case !ok:
	case e.Proposes():
		v.proposed[target] = e
	default:
		v.decided[target] = e
	}
}

// proposals holds every proposal against what the audit tells of it.
func (v *verifier) proposals() error {
	there := map[string]chain.Proposal{}
	for _, namespace := range v.proposers() {
		if err := v.proposalsOf(namespace, there); err != nil {
			return err
		}
	}
	if err := v.noteSince(); err != nil { // some were decided since the audit was read
		return err
	}
	for _, target := range slices.Sorted(maps.Keys(there)) {
		v.find(there[target].Compare(pick(v.proposed, target), pick(v.decided, target)))
	}
	for _, target := range slices.Sorted(maps.Keys(v.proposed)) {
		if _, ok := there[target]; !ok && v.lasts(target) {
			v.find(fmt.Errorf("proposal %s is missing", target))
		}
	}
	return nil
}

// proposers are the namespaces that may have proposals: a proposal may be the first
// that there is of one.
func (v *verifier) proposers() []config.Name {
	names := map[config.Name]bool{}
	for name := range v.before {
		names[name] = true
	}
	for target := range v.proposed {
		namespace, _, _ := strings.Cut(target, "#")
		names[config.Name(namespace)] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// proposalsOf reads the proposals of a namespace with what belongs to their hashes.
func (v *verifier) proposalsOf(namespace config.Name, into map[string]chain.Proposal) error {
	for raw, err := range v.c.Each(v.cmd.Context(), client.NamespacePath(namespace, "/proposals?limit=1000"), "proposals") {
		if exitCode(err) == exitNotFound {
			return nil
		}
		if unreadable(err) {
			v.find(fmt.Errorf("the proposals of %s cannot be read: %w", namespace, err))
			return nil
		}
		if err != nil {
			return err
		}
		p, err := chain.OpenProposal(raw)
		if err != nil {
			return err
		}
		if p, err = v.whole(namespace, p); err != nil {
			return err
		}
		into[p.Target()] = p
	}
	return nil
}

// whole is a proposal of a list with the digests of its documents. It may have been
// decided since.
func (v *verifier) whole(namespace config.Name, p chain.Proposal) (chain.Proposal, error) {
	if !p.Approved() {
		answer, err := v.c.Do(v.cmd.Context(), client.Request{Path: client.ProposalPath(namespace, p.ID, "")})
		if err != nil {
			return p, err
		}
		if p, err = chain.OpenProposal(answer.Body); err != nil {
			return p, err
		}
	}
	if p.Approved() {
		if err := v.findCommit(namespace, p.Revision); err != nil {
			return p, err
		}
		p = p.With(v.approved[commitTarget(namespace, p.Revision)])
	}
	p, broken := p.Bare()
	v.find(broken)
	return p, nil
}

// findCommit reads a commit that was made since the history was walked. One that
// cannot be had leaves its proposal without documents, which is found.
func (v *verifier) findCommit(namespace config.Name, revision int64) error {
	if _, ok := v.approved[commitTarget(namespace, revision)]; ok || revision <= v.before[namespace] {
		return nil
	}
	if _, err := v.commit(namespace, revision); !errors.Is(err, chain.ErrBroken) {
		return err
	}
	return nil
}

// lasts reports whether a proposal that the audit tells of has to be there: one that
// waits, or was approved. Others are forgotten in time.
func (v *verifier) lasts(target string) bool {
	made := v.proposed[target]
	decided, ok := v.decided[target]
	if ok {
		return decided.Action == "proposal.approve"
	}
	return made.Seq <= v.head.Seq && time.Since(made.At) < proposalsFor
}

// pick is the entry of a target, nil for none.
func pick(entries map[string]chain.Entry, target string) *chain.Entry {
	if e, ok := entries[target]; ok {
		return &e
	}
	return nil
}
