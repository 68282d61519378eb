package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// proposalStates are what herald proposals --state takes.
var proposalStates = []string{"open", "approved", "rejected", "withdrawn", "expired", "all"}

func (t *tool) proposals() *cobra.Command {
	state, limit := "", 0
	cmd := &cobra.Command{
		Use:   "proposals NAMESPACE [ID]",
		Short: "Show what waits for an approval",
		Long: `Shows the proposals of a namespace that wait for the approval of another token, newest
first; with --state those that were decided. With an ID it shows that one, and as a
unified diff what it would change of what stands now.`,
		Example: `  herald proposals payments
  herald proposals payments 7
  herald proposals payments --state all --limit 5`,
		Args: arguments(1, 2, "herald proposals payments 7"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if len(args) > 1 {
				return t.runProposal(cmd, c, args[0], args[1])
			}
			return t.runProposals(cmd, c, args[0], state, limit)
		}),
		ValidArgsFunction: t.completeProposal,
	}
	cmd.Flags().StringVar(&state, "state", "open", "which: "+strings.Join(proposalStates, ", "))
	cmd.Flags().IntVar(&limit, "limit", 20, "how many at most")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(proposalStates, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return cmd
}

func (t *tool) runProposals(cmd *cobra.Command, c *client.Client, arg, state string, limit int) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	switch {
	case limit < 1:
		return settings.Usagef("--limit has to be at least 1")
	case !slices.Contains(proposalStates, state):
		return settings.Usagef("--state: say which: %s", strings.Join(proposalStates, ", "))
	}
	raws, proposals, err := proposalsOf(cmd, c, namespace, state, limit)
	if err != nil {
		return err
	}
	return t.writeProposals(cmd, namespace, state, raws, proposals)
}

// proposalsOf lists the newest proposals of a namespace in that state.
func proposalsOf(cmd *cobra.Command, c *client.Client, namespace config.Name, state string, limit int) ([]json.RawMessage, []client.Proposal, error) {
	query := url.Values{"limit": {strconv.Itoa(min(limit, 1000))}}
	if state != "all" {
		query.Set("state", state)
	}
	raws, proposals := []json.RawMessage{}, []client.Proposal{}
	for raw, err := range c.Each(cmd.Context(), client.NamespacePath(namespace, "/proposals?"+query.Encode()), "proposals") {
		var p client.Proposal
		if err == nil {
			err = json.Unmarshal(raw, &p)
		}
		if err != nil {
			return nil, nil, err
		}
		raws, proposals = append(raws, raw), append(proposals, p)
		if len(raws) == limit {
			break
		}
	}
	return raws, proposals, nil
}

func (t *tool) writeProposals(cmd *cobra.Command, namespace config.Name, state string, raws []json.RawMessage, proposals []client.Proposal) error {
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"proposals": raws})
	}
	if len(proposals) == 0 && state == "open" {
		say(cmd, "nothing waits for an approval in %s", namespace)
		return nil
	}
	table := newTable(cmd.OutOrStdout(), "ID", "STATE", "AT", "AUTHOR", "CONFIGS", "MESSAGE")
	for _, p := range proposals {
		table.row(strconv.FormatInt(p.ID, 10), p.State, stamp(p.At), p.Author, touched(client.Commit{Changes: p.Changes}), p.Message)
	}
	return table.flush()
}

func (t *tool) runProposal(cmd *cobra.Command, c *client.Client, arg, number string) error {
	namespace, id, err := parseProposal(arg, number)
	if err != nil {
		return err
	}
	var p client.Proposal
	answer, err := c.Get(cmd.Context(), client.ProposalPath(namespace, id, ""), &p)
	switch {
	case err != nil:
		return undecided(err, namespace)
	case p.ID != id || p.Namespace != namespace:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), answer)
	}
	return writeProposal(cmd, p)
}

// writeProposal writes what waits for people: who wants it and why, then what would
// change, as a diff.
func writeProposal(cmd *cobra.Command, p client.Proposal) error {
	table := newTable(cmd.OutOrStdout())
	table.row("proposal", fmt.Sprintf("%d of %s, %s", p.ID, p.Namespace, p.State))
	table.row("author", p.Author+", "+stamp(p.At))
	table.row("message", p.Message)
	table.row("configs", touched(client.Commit{Changes: p.Changes}))
	table.row("made at", fmt.Sprintf("revision %d", p.BaseRevision))
	if p.Force {
		table.row("force", "it passes the guards")
	}
	switch {
	case p.Revision > 0:
		table.row("approved by", fmt.Sprintf("%s, as revision %d: herald diff %s --from %d --to %d", p.DecidedBy, p.Revision, p.Namespace, p.Revision-1, p.Revision))
	case p.DecidedBy != "":
		table.row(p.State+" by", p.DecidedBy)
	case p.State == "open":
		table.row("expires", stamp(p.ExpiresAt))
	}
	if p.Reason != "" {
		table.row("reason", p.Reason)
	}
	if err := table.flush(); err != nil || p.Diff == nil {
		return err
	}
	say(cmd, "approve it with: herald approve %s %d", p.Namespace, p.ID)
	return writeChanges(cmd, append(p.Diff.Changes, p.Diff.Schemas...))
}

// parseProposal reads a namespace and the number of one of its proposals.
func parseProposal(arg, number string) (config.Name, int64, error) {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return "", 0, err
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || id < 1 {
		return "", 0, settings.Usagef("%q is no proposal; see what waits with: herald proposals %s", number, namespace)
	}
	return namespace, id, nil
}

// completeProposal proposes a namespace, and then what waits in it.
func (t *tool) completeProposal(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return t.completeNamespace(cmd, args, begun)
	}
	c, err := t.client()
	namespace, bad := parseNamespace(args[0])
	if err != nil || bad != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	cmd.SetContext(ctx)
	_, open, err := proposalsOf(cmd, c, namespace, "open", 100)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ids := make([]string, len(open))
	for i, p := range open {
		ids[i] = strconv.FormatInt(p.ID, 10)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
