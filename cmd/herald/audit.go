package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/chain"
	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) audit() *cobra.Command {
	limit, verify := 0, false
	cmd := &cobra.Command{
		Use:   "audit [--verify]",
		Short: "Show who did what, and verify that nobody rewrote it",
		Long: `Shows what was done and what was refused: commits, tokens made and revoked, sign-ins
that failed, writes that were not allowed or did not pass. Newest first.

Each entry carries the hash of the one before, and so does each commit. --verify
works all these hashes out anew on this side, of the audit and of every revision of
every namespace with its documents, and names what was changed, left out or moved:
the exit code is then 1. What it prints at its end is where the chain ends; kept
elsewhere, it shows later that the chain still goes through that entry.`,
		Example: `  herald audit
  herald audit --limit 1000 -o json | jq -r '.entries[] | select(.outcome != "done")'
  herald audit --verify`,
		Args: arguments(0, 0, "herald audit"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			if verify {
				return t.runVerify(cmd, c)
			}
			return t.runAudit(cmd, c, limit)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "how many entries at most")
	cmd.Flags().BoolVar(&verify, "verify", false, "work out all hashes anew, and name what does not fit")
	return cmd
}

func (t *tool) runAudit(cmd *cobra.Command, c *client.Client, limit int) error {
	if limit < 1 {
		return settings.Usagef("--limit has to be at least 1")
	}
	raws := []json.RawMessage{}
	table := newTable(cmd.OutOrStdout(), "SEQ", "AT", "ACTOR", "ACTION", "TARGET", "OUTCOME", "DETAIL")
	for raw, err := range c.Each(cmd.Context(), "/v1/audit?limit="+strconv.Itoa(min(limit, 1000)), "entries") {
		if err != nil {
			return err
		}
		var e chain.Entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("%s did not answer with an audit: %w", c.Server(), err)
		}
		raws = append(raws, raw)
		table.row(strconv.FormatInt(e.Seq, 10), stamp(e.At), e.Actor, e.Action, e.Target, e.Outcome, e.Detail)
		if len(raws) == limit {
			break
		}
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"entries": raws})
	}
	return table.flush()
}
