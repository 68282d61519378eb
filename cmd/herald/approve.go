package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// A resolution is what the controller is told with a decision.
type resolution struct {
	Message string `json:"message,omitempty"`
}

func (t *tool) approve() *cobra.Command {
	w := &writing{}
	cmd := &cobra.Command{
		Use:   "approve NAMESPACE ID",
		Short: "Make the revision that a proposal asks for",
		Long: `Approves what somebody else proposed: with a token of another name than the author's.
All that holds a commit holds it now. Where what it touches has changed since it was
proposed nothing is done, the difference is shown on standard error, and the exit code
is 4. The revision's author and message are the proposal's; -m is why you agree.`,
		Example: `  herald proposals payments 7
  herald approve payments 7 -m "looks good" --wait 100%`,
		Args: arguments(2, 2, "herald approve payments 7"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runApprove(cmd, c, w, args[0], args[1])
		}),
		ValidArgsFunction: t.completeProposal,
	}
	w.flags(cmd)
	return cmd
}

func (t *tool) runApprove(cmd *cobra.Command, c *client.Client, w *writing, arg, number string) error {
	namespace, id, err := parseProposal(arg, number)
	if err != nil {
		return err
	}
	if err := w.check(); err != nil {
		return err
	}
	answer, err := c.Send(cmd.Context(), http.MethodPost, w.path(client.ProposalPath(namespace, id, "/approve")), resolution{w.message}, new(json.RawMessage))
	if err != nil {
		return sources{}.place(cmd, c, namespace, showBetween(cmd, undecided(err, namespace)))
	}
	return t.report(cmd, c, w, namespace, answer, func(done client.Written) string {
		return fmt.Sprintf("proposal %d of %s is approved, revision %d", id, namespace, done.Revision)
	})
}

func (t *tool) reject() *cobra.Command {
	w := &writing{timeout: 1} // which nobody sets here, since nothing is waited for
	cmd := &cobra.Command{
		Use:   "reject NAMESPACE ID",
		Short: "End a proposal without a revision, or withdraw one's own",
		Long: `Rejects what somebody proposed; -m says why, and is shown to who proposed it. Whoever
rejects a proposal of their own withdraws it.`,
		Example: `  herald reject payments 7 -m "50 is what the database can take"`,
		Args:    arguments(2, 2, "herald reject payments 7 -m why"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runReject(cmd, c, w, args[0], args[1])
		}),
		ValidArgsFunction: t.completeProposal,
	}
	cmd.Flags().StringVarP(&w.message, "message", "m", "", "why: one line for the author")
	cmd.Flags().BoolVar(&w.dryRun, "dry-run", false, "only say whether it could be rejected")
	return cmd
}

func (t *tool) runReject(cmd *cobra.Command, c *client.Client, w *writing, arg, number string) error {
	namespace, id, err := parseProposal(arg, number)
	if err != nil {
		return err
	}
	if err := w.check(); err != nil {
		return err
	}
	var p client.Proposal
	answer, err := c.Send(cmd.Context(), http.MethodPost, w.path(client.ProposalPath(namespace, id, "/reject")), resolution{w.message}, &p)
	switch {
	case err != nil:
		return undecided(err, namespace)
	case p.ID != id || p.Namespace != namespace:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), answer)
	}
	if w.dryRun {
		return writeLine(cmd, "dry run: proposal %d of %s would be %s", id, namespace, p.State)
	}
	return writeLine(cmd, "proposal %d of %s is %s", id, namespace, p.State)
}

// undecided adds to the refusal of a decision what to do next.
func undecided(err error, namespace config.Name) error {
	problem, ok := errors.AsType[*httpapi.Problem](err)
	if !ok {
		return err
	}
	switch problem.Code {
	case "not_found", "precondition_failed":
		return &advised{err, fmt.Sprintf("see what there is with: herald proposals %s --state all", namespace)}
	case "forbidden":
		return &advised{err, "it takes a token of the role admin, or of another publisher of the namespace"}
	}
	return err
}

// showBetween says on standard error what is different from the base of a proposal.
func showBetween(cmd *cobra.Command, err error) error {
	problem, ok := errors.AsType[*httpapi.Problem](err)
	if !ok || problem.Between == nil {
		return err
	}
	var between struct {
		client.Diff
		Schemas []client.Change `json:"schemas"`
	}
	if json.Unmarshal(problem.Between, &between) != nil {
		return err
	}
	say(cmd, "what is different between revision %d and %d:", between.From, between.To)
	for _, change := range append(between.Changes, between.Schemas...) {
		_, _ = fmt.Fprint(cmd.ErrOrStderr(), change.Text) // as all that is said there
	}
	return &advised{err, "propose it anew, on what stands now"}
}
