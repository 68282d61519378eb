package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) namespace() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "namespace",
		Short: "Show and set what holds for a namespace",
		Long: `What is set for a namespace holds from then on. It is no part of any revision, so that a
rollback does not bring old settings back; the audit tells who set what.`,
		Example: "  herald namespace show payments",
	}, t.namespaceShow(), t.namespaceSet())
}

func (t *tool) namespaceShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAMESPACE",
		Short:   "Show all that is set for a namespace",
		Long:    "Shows all that is set for a namespace: its guards, its freeze, its protection, its retention.",
		Example: "  herald namespace show payments",
		Args:    arguments(1, 1, "herald namespace show payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.showSettings(cmd, c, args[0])
		}),
		ValidArgsFunction: t.completeNamespace,
	}
}

func (t *tool) namespaceSet() *cobra.Command {
	guards, retention := &client.GuardsPatch{}, &client.RetentionPatch{}
	var fill []func(*cobra.Command)
	cmd := &cobra.Command{
		Use:   "set NAMESPACE FLAGS…",
		Short: "Set the guards of a namespace and how much of its history is kept",
		Long: `Sets what is named by a flag, all of it or none; what is not named stays as it is. Where
the controller has tokens, that takes one with the role admin.

With a retention the controller drops the documents of old revisions by itself: of the
two counts the one that keeps more holds, and 0 says nothing. Both 0 keep everything.
What stands is never dropped, and commits and their hashes stay.`,
		Example: `  herald namespace set payments --keep-revisions 100 --keep-days 90
  herald namespace set payments --guard-deleted 20 --guard-kept 80
  herald namespace set payments --keep-revisions 0 --keep-days 0`,
		Args: arguments(1, 1, "herald namespace set payments --keep-revisions 100"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			for _, read := range fill {
				read(cmd)
			}
			var asked client.SettingsPatch
			if *guards != (client.GuardsPatch{}) {
				asked.Guards = guards
			}
			if *retention != (client.RetentionPatch{}) {
				asked.Retention = retention
			}
			if asked.Guards == nil && asked.Retention == nil {
				return settings.Usagef("say what to set, as in --keep-revisions 100; herald namespace show %s shows what is set", args[0])
			}
			return t.amend(cmd, c, args[0], asked)
		}),
		ValidArgsFunction: t.completeNamespace,
	}
	fill = append(guardFlags(cmd, "guard-", guards), retentionFlags(cmd, retention)...)
	return triable(cmd)
}

// guardFlags adds the flags of the guards. What it returns reads those that were
// given.
func guardFlags(cmd *cobra.Command, prefix string, into *client.GuardsPatch) []func(*cobra.Command) {
	flags := cmd.Flags()
	empty := flags.Bool(prefix+"empty", true, "hold a commit that empties a document")
	configs := flags.Int(prefix+"configs", 4, "from how many configs on a commit can be a mass change")
	deleted := flags.Int(prefix+"deleted", 50, "how many per cent of the configs a commit may delete")
	kept := flags.Int(prefix+"kept", 50, "how many per cent of their bytes a commit has to leave")
	return []func(*cobra.Command){
		func(cmd *cobra.Command) { set(cmd, prefix+"empty", &into.Empty, *empty) },
		func(cmd *cobra.Command) { set(cmd, prefix+"configs", &into.Configs, *configs) },
		func(cmd *cobra.Command) { set(cmd, prefix+"deleted", &into.DeletedPercent, *deleted) },
		func(cmd *cobra.Command) { set(cmd, prefix+"kept", &into.KeptPercent, *kept) },
	}
}

func retentionFlags(cmd *cobra.Command, into *client.RetentionPatch) []func(*cobra.Command) {
	flags := cmd.Flags()
	revisions := flags.Int("keep-revisions", 0, "how many of the newest revisions keep their documents")
	days := flags.Int("keep-days", 0, "for how many days documents that stood are kept")
	return []func(*cobra.Command){
		func(cmd *cobra.Command) { set(cmd, "keep-revisions", &into.Revisions, *revisions) },
		func(cmd *cobra.Command) { set(cmd, "keep-days", &into.Days, *days) },
	}
}

// retained says how much of a history is kept, in words.
func retained(r client.Retention) string {
	switch {
	case r.Revisions > 0 && r.Days > 0:
		return fmt.Sprintf("the newest %s, and what stood in the last %s", count(r.Revisions, "revision"), count(r.Days, "day"))
	case r.Revisions > 0:
		return "the newest " + count(r.Revisions, "revision")
	case r.Days > 0:
		return "what stood in the last " + count(r.Days, "day")
	}
	return "all of it"
}
