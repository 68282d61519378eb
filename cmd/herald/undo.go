package main

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) diff() *cobra.Command {
	from, to := int64(0), int64(0)
	cmd := &cobra.Command{
		Use:   "diff NAMESPACE | diff NAMESPACE/NAME",
		Short: "Show what changed between two revisions",
		Long: `Shows as a unified diff what changed between two revisions of a namespace, or of one
config: by default what the newest revision changed. Revision 0 is nothing at all.
With -o json there is a JSON Patch (RFC 6902) beside it where a config is JSON.`,
		Example: `  herald diff payments
  herald diff payments --from 40 --to 42
  herald diff payments/limits --from 0
  herald diff payments -o json | jq '.changes[].patch'`,
		Args: arguments(1, 1, "herald diff payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			query := url.Values{}
			for name, revision := range map[string]int64{"from": from, "to": to} {
				if cmd.Flags().Changed(name) {
					query.Set(name, strconv.FormatInt(revision, 10))
				}
			}
			return t.runDiff(cmd, c, args[0], query)
		}),
		ValidArgsFunction: t.completeConfig,
	}
	cmd.Flags().Int64Var(&from, "from", 0, "the earlier revision (default: the one before --to)")
	cmd.Flags().Int64Var(&to, "to", 0, "the later revision (default: the newest)")
	return cmd
}

func (t *tool) runDiff(cmd *cobra.Command, c *client.Client, arg string, query url.Values) error {
	namespace, name, err := parseEither(arg)
	if err != nil {
		return err
	}
	path := client.NamespacePath(namespace, "/diff")
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var d client.Diff
	if _, err := c.Get(cmd.Context(), path, &d); err != nil {
		return err
	}
	changes := []client.Change{}
	for _, change := range d.Changes {
		if name == "" || change.Name == name {
			changes = append(changes, change)
		}
	}
	if d.Changes = changes; t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), d)
	}
	if len(changes) == 0 {
		say(cmd, "%s: nothing changed from revision %d to %d", arg, d.From, d.To)
	}
	return writeChanges(cmd, changes)
}

func (t *tool) rollback() *cobra.Command {
	w, to := &writing{}, int64(0)
	cmd := &cobra.Command{
		Use:   "rollback NAMESPACE --to N | rollback NAMESPACE/NAME --to N",
		Short: "Bring back what stood at a revision, as a new one",
		Long: `Makes a new revision with the configs of an earlier one, or with one config as it
stood then. What came since is deleted, which leaves tombstones. The guards hold a
rollback as they hold any write, and so do today's schemas.`,
		Example: `  herald rollback payments --to 40 -m "the sale is over"
  herald rollback payments --to 40 --dry-run
  herald rollback payments/limits --to 40 --wait 100%`,
		Args: arguments(1, 1, "herald rollback payments --to 40"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runRollback(cmd, c, w, args[0], to)
		}),
		ValidArgsFunction: t.completeConfig,
	}
	cmd.Flags().Int64Var(&to, "to", 0, "the revision whose configs are to stand again (needed)")
	w.flags(cmd)
	return cmd
}

func (t *tool) runRollback(cmd *cobra.Command, c *client.Client, w *writing, arg string, to int64) error {
	namespace, name, err := parseEither(arg)
	if err != nil {
		return err
	}
	if to < 1 {
		return settings.Usagef("say which revision, as in: herald rollback %s --to 40; see what there is with: herald history %s", arg, arg)
	}
	body := struct {
		To      int64       `json:"to"`
		Name    config.Name `json:"name,omitempty"`
		Message string      `json:"message,omitempty"`
	}{to, name, w.message}
	return t.undo(cmd, c, w, namespace, "/rollback", body, func(done client.Written) string {
		return undoSentence(done, arg, fmt.Sprintf("rolled back to revision %d", to))
	})
}

func (t *tool) revert() *cobra.Command {
	w := &writing{}
	cmd := &cobra.Command{
		Use:   "revert NAMESPACE N",
		Short: "Take back what one commit did, as a new one",
		Long: `Makes a new revision in which the configs that commit N changed are as they were
before it. What other commits did stays. Where a later commit changed one of the same
configs nothing is done, and the exit code is 4: see herald rollback for that.`,
		Example: `  herald revert payments 41 -m "it was too much"
  herald revert payments 41 --dry-run`,
		Args: arguments(2, 2, "herald revert payments 41"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runRevert(cmd, c, w, args[0], args[1])
		}),
		ValidArgsFunction: t.completeNamespace,
	}
	w.flags(cmd)
	return cmd
}

func (t *tool) runRevert(cmd *cobra.Command, c *client.Client, w *writing, arg, number string) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	revision, err := strconv.ParseInt(number, 10, 64)
	if err != nil || revision < 1 {
		return settings.Usagef("%q is no revision; see what there is with: herald history %s", number, namespace)
	}
	body := struct {
		Revision int64  `json:"revision"`
		Message  string `json:"message,omitempty"`
	}{revision, w.message}
	return t.undo(cmd, c, w, namespace, "/revert", body, func(done client.Written) string {
		return undoSentence(done, arg, fmt.Sprintf("is as it was before revision %d", revision))
	})
}

// undo asks for a commit that takes something back.
func (t *tool) undo(cmd *cobra.Command, c *client.Client, w *writing, namespace config.Name, below string, body any, line func(client.Written) string) error {
	if err := w.check(); err != nil {
		return err
	}
	answer, err := w.post(cmd, c, client.NamespacePath(namespace, below), body)
	if err != nil {
		return err
	}
	return t.report(cmd, c, w, namespace, answer, line)
}

func undoSentence(done client.Written, what, did string) string {
	if !done.Changed {
		return fmt.Sprintf("%s unchanged, at revision %d", what, done.Revision)
	}
	return fmt.Sprintf("%s %s, revision %d", what, did, done.Revision)
}
