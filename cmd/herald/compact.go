package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) compact() *cobra.Command {
	var asked client.Compact
	cmd := &cobra.Command{
		Use:   "compact NAMESPACE",
		Short: "Drop old documents from the history",
		Long: `Drops the documents of old revisions, and says which. Of --keep-revisions and
--keep-days the one that keeps more holds; without either, what is set for the
namespace as its retention. What stands always stays, and so does the newest revision;
each revision that is kept can be read, compared and rolled back to as before.

The commits stay, with their authors, messages and hashes and the SHA-256 of what was
dropped: herald audit --verify goes on through them. Dropped is dropped: look with
--dry-run first.`,
		Example: `  herald compact payments --keep-revisions 100 --keep-days 90 --dry-run
  herald compact payments --keep-revisions 100 --keep-days 90`,
		Args: arguments(1, 1, "herald compact payments --keep-revisions 100 --dry-run"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			for _, flag := range []string{"keep-revisions", "keep-days"} {
				if n, _ := cmd.Flags().GetInt(flag); cmd.Flags().Changed(flag) && n < 1 {
					return settings.Usagef("--%s has to be at least 1", flag)
				}
			}
			return t.runCompact(cmd, c, args[0], asked)
		}),
		ValidArgsFunction: t.completeNamespace,
	}
	flags := cmd.Flags()
	flags.IntVar(&asked.KeepRevisions, "keep-revisions", 0, "how many of the newest revisions are kept whole")
	flags.IntVar(&asked.KeepDays, "keep-days", 0, "for how many days all that stood is kept")
	flags.BoolVar(&asked.DryRun, "dry-run", false, "only say what would be dropped")
	return cmd
}

func (t *tool) runCompact(cmd *cobra.Command, c *client.Client, arg string, asked client.Compact) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	var done client.Compaction
	answer, err := c.Send(cmd.Context(), http.MethodPost, client.NamespacePath(namespace, "/compact"), asked, &done)
	switch {
	case err != nil:
		return err
	case done.Namespace != namespace || done.DryRun != asked.DryRun:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), answer)
	}
	return writeCompaction(cmd, done)
}

func writeCompaction(cmd *cobra.Command, c client.Compaction) error {
	table := newTable(cmd.OutOrStdout())
	for _, d := range c.Dropped {
		what := string(d.Name)
		if d.Op == "put_schema" {
			what = "schema " + what
		}
		table.row(fmt.Sprintf("%s@%d", c.Namespace, d.Revision), what, count(d.Size, "byte"))
	}
	if err := table.flush(); err != nil {
		return err
	}
	if more := c.Documents - len(c.Dropped); more > 0 {
		say(cmd, "and %d more", more)
	}
	did := "dropped"
	if c.DryRun {
		did = "dry run: would be dropped"
	}
	say(cmd, "%s: %s, %s; all since revision %d is kept", did, count(c.Documents, "document"), count(int(c.Bytes), "byte"), c.KeptFrom)
	return nil
}
