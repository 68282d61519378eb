package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/settings"
)

// An applying is what apply is told.
type applying struct {
	writing
	namespace string
	prune     bool
	below     string // the path below the namespace's that takes the changes
}

func (t *tool) apply() *cobra.Command {
	a := &applying{below: "/commits"}
	cmd := &cobra.Command{
		Use:   "apply -n NAMESPACE DIR",
		Short: "Make a namespace equal to a folder, in one commit",
		Long: `Writes what differs between a folder and a namespace, as one commit: every worker
sees all of it or nothing. Each regular file is a config; its name without the last
extension is the config's name, its bytes stay as they are. Hidden files and
subfolders are left out. What the folder lacks stays, or is deleted with --prune.

What is done is shown on standard error: + added, ~ changed, - removed. If somebody
else commits meanwhile nothing is written, and the exit code is 4.

The media type follows from the file's name as for put. A config keeps the one that
it has if the file is called what herald export would call it, or says no type: so
applying an export changes nothing.`,
		Example: `  herald apply -n payments ./payments -m "as in git"
  herald apply -n payments ./payments --prune --wait 100%`,
		Args: arguments(1, 1, "herald apply -n payments ./payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runApply(cmd, c, a, args[0])
		}),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.Flags().StringVarP(&a.namespace, "namespace", "n", "", "the namespace (needed)")
	cmd.Flags().BoolVar(&a.prune, "prune", false, "delete the configs that the folder lacks")
	a.flags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("namespace", t.completeNamespaceFlag) // the flag is there
	return cmd
}

func (t *tool) runApply(cmd *cobra.Command, c *client.Client, a *applying, dir string) error {
	if a.namespace == "" {
		return settings.Usagef("say which namespace, as in: herald %s -n payments %s", cmd.Name(), dir)
	}
	namespace, err := parseNamespace(a.namespace)
	if err != nil {
		return err
	}
	if err := a.check(); err != nil {
		return err
	}
	folder, err := readFolder(dir)
	if err != nil {
		return err
	}
	for _, ignored := range folder.ignored {
		say(cmd, "left out: %s", ignored)
	}
	held, err := c.Snapshot(cmd.Context(), namespace, "", 0)
	if problem, ok := errors.AsType[*httpapi.Problem](err); err != nil && (!ok || problem.Code != "not_found") {
		return err
	}
	plan := planOf(held, folder.files, a.prune)
	if len(folder.files) == 0 && plan.removed > 0 && !a.force {
		return fmt.Errorf("%w: %s holds no config, and --prune would delete all %d of %s; is it the right folder? If all of it is to go, say --force",
			errRefused, dir, plan.removed, namespace)
	}
	return t.write(cmd, c, a, namespace, held, plan)
}

// write writes a plan as one commit, on the base that it was made from.
func (t *tool) write(cmd *cobra.Command, c *client.Client, a *applying, namespace config.Name, held *config.Snapshot, plan plan) error {
	done := client.Written{Namespace: namespace}
	if held != nil {
		done.Revision = held.Revision
	}
	for _, change := range plan.changes {
		say(cmd, "%s %s", change.mark, change.Name)
	}
	if len(plan.unlisted) > 0 {
		say(cmd, "kept, though not in the folder (--prune deletes): %s", join(plan.unlisted))
	}
	if len(plan.changes) > 0 {
		request := commitRequest{Message: a.message, Base: &done.Revision, Changes: plan.changes}
		return t.send(cmd, c, &a.writing, client.NamespacePath(namespace, a.below), namespace, request, plan.sentence)
	}
	if a.dryRun && t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), client.Preview{DryRun: true, Namespace: namespace, Revision: done.Revision, Changes: []client.Change{}, Workers: []client.RunningWorker{}})
	}
	return t.finish(cmd, c, &a.writing, done, plan.sentence(done))
}
