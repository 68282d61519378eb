package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/chain"
	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

var errBroken = errors.New("the audit or the history was tampered with")

// A verifier walks the audit and every namespace's history, and gathers what does
// not fit.
type verifier struct {
	cmd   *cobra.Command
	c     *client.Client
	found []string

	head    chain.Head
	entries int64
	commits int64
	told    map[string]chain.Entry // what the audit tells of a commit, by payments@42
	before  map[config.Name]int64  // where namespaces stood before the audit was read: it tells of all until there
	since   map[config.Name]int64  // the first revision that it tells of
	newest  map[config.Name]int64  // the last one
	dropped map[config.Name]int64  // the newest revision whose documents it says were compacted

	proposed map[string]chain.Entry    // what the audit tells of a proposal, by payments#7
	decided  map[string]chain.Entry    // and of what became of it
	approved map[string][]chain.Change // what commits changed that were proposals, by payments@42
}

func newVerifier(cmd *cobra.Command, c *client.Client) *verifier {
	return &verifier{
		cmd: cmd, c: c, told: map[string]chain.Entry{},
		before: map[config.Name]int64{}, since: map[config.Name]int64{}, newest: map[config.Name]int64{}, dropped: map[config.Name]int64{},
		proposed: map[string]chain.Entry{}, decided: map[string]chain.Entry{}, approved: map[string][]chain.Change{},
	}
}

func (t *tool) runVerify(cmd *cobra.Command, c *client.Client) error {
	v := newVerifier(cmd, c)
	if err := v.verify(); err != nil {
		return err
	}
	if t.output == asJSON {
		err := writeJSON(cmd.OutOrStdout(), map[string]any{
			"entries": v.entries, "commits": v.commits, "head": v.head, "broken": append([]string{}, v.found...),
		})
		if err != nil {
			return err
		}
	} else if len(v.found) == 0 {
		err := writeLine(cmd, "%d audit entries and %d commits verified; the audit ends with entry %d, %s", v.entries, v.commits, v.head.Seq, v.head.Hash)
		if err != nil {
			return err
		}
	}
	if len(v.found) > 0 {
		for _, what := range v.found {
			say(cmd, "%s", plain(what))
		}
		return fmt.Errorf("%w: %d findings", errBroken, len(v.found))
	}
	return nil
}

func (v *verifier) verify() error {
	namespaces, err := v.namespaces()
	if err != nil {
		return err
	}
	for _, n := range namespaces {
		v.before[n.Namespace] = int64(n.Revision)
	}
	if err := v.audit(); err != nil {
		return err
	}
	if err := v.histories(); err != nil {
		return err
	}
	return v.proposals()
}

func (v *verifier) namespaces() ([]client.Namespace, error) {
	_, namespaces, err := list[client.Namespace](v.cmd, v.c, "/v1/namespaces", "namespaces")
	return namespaces, err
}

func (v *verifier) find(errs ...error) {
	for _, err := range errs {
		if err != nil {
			v.found = append(v.found, strings.TrimPrefix(err.Error(), chain.ErrBroken.Error()+": "))
		}
	}
}

// audit walks the entries, newest first.
func (v *verifier) audit() error {
	var page struct{ Head *chain.Head }
	if _, err := v.c.Get(v.cmd.Context(), "/v1/audit?limit=1", &page); err != nil {
		return err
	}
	if page.Head == nil {
		return errStranger
	}
	v.head = *page.Head
	walk := chain.NewEntries(v.head)
	// Entries may have come since: what is behind the head is of the next time.
	from := fmt.Sprintf("/v1/audit?limit=1000&before=%d", v.head.Seq+1)
	for raw, err := range v.c.Each(v.cmd.Context(), from, "entries") {
		if err != nil {
			return err
		}
		var e chain.Entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("%s did not answer with an audit: %w", v.c.Server(), err)
		}
		v.find(walk.Next(e)...)
		v.note(e)
		v.entries++
	}
	v.find(walk.End())
	return nil
}

// note remembers which commit an entry tells of.
func (v *verifier) note(e chain.Entry) {
	v.noteCompaction(e)
	v.noteProposal(e)
	namespace, revision, ok := e.Commit()
	if !ok {
		return
	}
	v.told[e.Target] = e
	name := config.Name(namespace)
	v.since[name] = revision // the oldest comes last
	v.newest[name] = max(v.newest[name], revision)
}
