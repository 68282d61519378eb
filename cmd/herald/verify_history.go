package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/heraldconf/herald/shared/chain"
	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// histories walks the commits of every namespace, and of those that the audit
// knows of, be they listed or not.
func (v *verifier) histories() error {
	namespaces, err := v.namespaces()
	if err != nil {
		return err
	}
	stands := map[config.Name]bool{}
	for _, n := range namespaces {
		stands[n.Namespace] = true
		if int64(n.Revision) < v.newest[n.Namespace] {
			v.find(fmt.Errorf("the audit tells of revision %d of %s, which stands at %d", v.newest[n.Namespace], n.Namespace, n.Revision))
		}
		if err := v.history(n); err != nil {
			return err
		}
	}
	for name := range v.newest {
		if !stands[name] {
			v.find(fmt.Errorf("the audit tells of the namespace %s, which is not there", name))
		}
	}
	return nil
}

// history walks the commits of a namespace, newest first, and compares what stands
// with what they say.
func (v *verifier) history(n client.Namespace) error {
	found, err := v.stands(n.Namespace)
	if err != nil {
		return err
	}
	newest := int64(n.Revision)
	if found.snapshot != nil {
		newest = max(newest, int64(found.snapshot.Revision))
	}
	walk := chain.NewCommits(string(n.Namespace), newest)
	standing := chain.NewStanding(string(n.Namespace), int64(n.Revision), newest)
	for revision := newest; revision > 0; revision-- {
		commit, err := v.commit(n.Namespace, revision)
		if errors.Is(err, chain.ErrBroken) {
			v.find(err)
			if revision, err = v.below(n.Namespace, revision); err != nil {
				return err
			}
			revision++
			walk.Skip(revision)
			continue
		}
		if err != nil {
			return err
		}
		v.find(walk.Next(commit)...)
		if revision == int64(n.Revision) && commit.Hash != n.Hash {
			v.find(fmt.Errorf("the namespace %s stands on another commit than its newest, revision %d", n.Namespace, revision))
		}
		standing.Note(commit)
		v.compare(n.Namespace, commit)
		if err := v.compareCompacted(n.Namespace, commit); err != nil {
			return err
		}
		v.commits++
	}
	v.find(walk.End())
	if found.snapshot != nil {
		v.find(standing.Compare(found.snapshot, found.configs, found.schemas)...)
	}
	return nil
}

// A stand is what stands in a namespace, as everybody gets it.
type stand struct {
	configs, schemas []chain.Listed
	snapshot         *config.Snapshot // nil where it cannot be made
}

// stands reads what stands in a namespace. What cannot be read is a finding.
func (v *verifier) stands(namespace config.Name) (found stand, err error) {
	_, found.configs, err = list[chain.Listed](v.cmd, v.c, client.NamespacePath(namespace, "/configs"), "configs")
	if err == nil {
		_, found.schemas, err = list[chain.Listed](v.cmd, v.c, client.NamespacePath(namespace, "/schemas"), "schemas")
	}
	if err == nil {
		found.snapshot, err = v.c.Snapshot(v.cmd.Context(), namespace, "", 0)
	}
	switch {
	case unreadable(err):
		v.find(fmt.Errorf("what stands in %s cannot be read: %w", namespace, err))
		return found, nil
	case err == nil && found.snapshot.Namespace != namespace:
		return found, errStranger
	}
	return found, err
}

// unreadable reports whether the server answered that it does not have something, or
// cannot make sense of it: damage may do that.
func unreadable(err error) bool {
	problem, ok := errors.AsType[*httpapi.Problem](err)
	return ok && (problem.Status == http.StatusNotFound || problem.Status == http.StatusInternalServerError)
}

// commit reads one commit. The error wraps chain.ErrBroken where it cannot be had.
func (v *verifier) commit(namespace config.Name, revision int64) (chain.Commit, error) {
	answer, err := v.c.Do(v.cmd.Context(), client.Request{Path: client.NamespacePath(namespace, fmt.Sprintf("/revisions/%d?compacted=true", revision))})
	if exitCode(err) == exitNotFound {
		return chain.Commit{}, fmt.Errorf("%w: revision %d of %s is missing", chain.ErrBroken, revision, namespace)
	}
	if unreadable(err) {
		return chain.Commit{}, fmt.Errorf("%w: revision %d of %s cannot be read: %w", chain.ErrBroken, revision, namespace, err)
	}
	if err != nil {
		return chain.Commit{}, err
	}
	commit, err := chain.OpenCommit(answer.Body, string(namespace), answer.Header.Get("Herald-Epoch"))
	if err != nil {
		return commit, fmt.Errorf("%w: revision %d of %s was changed: it is not JSON any more", chain.ErrBroken, revision, namespace)
	}
	if commit.Proposal != 0 {
		v.approved[commitTarget(namespace, revision)] = commit.Bare()
	}
	return commit, nil
}

// below is the newest revision that is there before that one, 0 for none.
func (v *verifier) below(namespace config.Name, revision int64) (int64, error) {
	var page struct{ Revisions []client.Commit }
	_, err := v.c.Get(v.cmd.Context(), client.NamespacePath(namespace, fmt.Sprintf("/revisions?limit=1&before=%d", revision)), &page)
	if unreadable(err) {
		return revision - 1, nil
	}
	if err != nil || len(page.Revisions) == 0 {
		return 0, err
	}
	next := int64(page.Revisions[0].Revision)
	if next >= revision {
		return 0, errStranger
	}
	if next < revision-1 {
		v.find(fmt.Errorf("revisions %d to %d of %s are missing", next+1, revision-1, namespace))
	}
	return next, nil
}

// compare holds a commit against what the audit tells of it. What was committed
// before there was an audit it does not know.
func (v *verifier) compare(namespace config.Name, commit chain.Commit) {
	since, audited := v.since[namespace]
	young := commit.Revision > v.before[namespace]
	told, ok := v.told[commitTarget(namespace, commit.Revision)]
	switch {
	case ok:
		v.find(commit.Compare(told))
	case audited && commit.Revision >= since && !young:
		v.find(fmt.Errorf("no audit entry tells of revision %d of %s", commit.Revision, namespace))
	}
}

// commitTarget is what the audit calls a commit.
func commitTarget(namespace config.Name, revision int64) string {
	return fmt.Sprintf("%s@%d", namespace, revision)
}
