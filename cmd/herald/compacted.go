package main

import (
	"encoding/json"
	"fmt"

	"github.com/heraldconf/herald/shared/chain"
	"github.com/heraldconf/herald/shared/config"
)

// noteCompaction remembers up to where the audit says that documents were dropped.
func (v *verifier) noteCompaction(e chain.Entry) {
	if namespace, revision, ok := e.Compaction(); ok {
		name := config.Name(namespace)
		v.dropped[name] = max(v.dropped[name], revision)
	}
}

// compareCompacted holds a commit that lacks documents against what the audit tells
// of it: none goes silently. A compaction may have come since the audit was read.
func (v *verifier) compareCompacted(namespace config.Name, commit chain.Commit) error {
	if !commit.Compacted() || commit.Revision <= v.dropped[namespace] {
		return nil
	}
	if err := v.noteSince(); err != nil {
		return err
	}
	if commit.Revision > v.dropped[namespace] {
		v.find(fmt.Errorf("documents of revision %d of %s were dropped, and no audit entry tells of it", commit.Revision, namespace))
	}
	return nil
}

// noteSince remembers the compactions, and what became of proposals, since the audit
// was read.
func (v *verifier) noteSince() error {
	for raw, err := range v.c.Each(v.cmd.Context(), "/v1/audit?limit=1000", "entries") {
		if err != nil {
			return err
		}
		var e chain.Entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("%s did not answer with an audit: %w", v.c.Server(), err)
		}
		if e.Seq <= v.head.Seq {
			return nil
		}
		v.noteCompaction(e)
		v.noteProposal(e)
	}
	return nil
}
