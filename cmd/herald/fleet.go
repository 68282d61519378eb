package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) fleet() *cobra.Command {
	f := &fleetView{tool: t, color: colorAuto}
	cmd := &cobra.Command{
		Use:   "fleet [NAMESPACE]",
		Short: "Say which worker runs on what, since when, and why not on the newest",
		Long: `Shows the workers of a namespace, each with the revision that it runs on, since when,
and why not on a newer one: current, behind (not there yet, or held by its agent),
rejected (refused the newest and runs on its last good) or lost (not seen for a
while). Who needs attention stands first.

Without a namespace it sums up all of them that you may see, or looks through them
for an agent or a worker. --watch goes on with any of these, and shows each change as it comes, on a terminal in
place, until it is interrupted. What is not there is exit code 3.`,
		Example: `  herald fleet --watch
  herald fleet payments
  herald fleet payments --revision 42 --watch
  herald fleet --agent host-7
  herald fleet payments --worker w-1
  herald fleet payments -o json | jq -r '.workers[] | select(.state == "rejected").id'`,
		Args: arguments(0, 1, "herald fleet payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			f.cmd, f.client = cmd, c
			return f.run(args)
		}),
		ValidArgsFunction: t.completeNamespace,
	}
	flags := cmd.Flags()
	flags.Int64Var(&f.revision, "revision", 0, "who stands how to this revision instead of the newest")
	flags.StringVar(&f.agentID, "agent", "", "only the workers of the agent of this name")
	flags.StringVar(&f.workerID, "worker", "", "only the worker of this name")
	flags.BoolVar(&f.watch, "watch", false, "go on, and show each change")
	flags.Var(&f.color, "color", "color states: auto (on a terminal, unless NO_COLOR is set), always or never")
	settings.NoVariable(flags, "revision", "agent", "worker", "watch") // HERALD_AGENT is an agent's address, for herald exec
	return cmd
}

// A fleetView is what one call of herald fleet shows.
type fleetView struct {
	*tool
	cmd               *cobra.Command
	client            *client.Client
	revision          int64 // 0 for the newest
	agentID, workerID string
	watch             bool
	color             colorMode
}

func (f *fleetView) run(args []string) error {
	see := f.all
	switch {
	case f.cmd.Flag("revision").Changed && f.revision < 1:
		return settings.Usagef("--revision: revisions begin with 1")
	case len(args) > 0:
		namespace, err := parseNamespace(args[0])
		if err != nil {
			return err
		}
		see = f.of(namespace)
	case f.revision > 0:
		return settings.Usagef("say which namespace, as in: herald fleet payments --revision %d", f.revision)
	}
	p, err := see(f.cmd.Context(), 0)
	switch {
	case err != nil:
		return err
	case p.empty:
		return f.nobody(p)
	case f.watch:
		return f.follow(p, see)
	}
	return f.print(p)
}

func (f *fleetView) nobody(p picture) error {
	who, where := "worker "+f.workerID, "any namespace"
	switch {
	case f.workerID == "":
		who = "worker of agent " + f.agentID
	case f.agentID != "":
		who += " of agent " + f.agentID
	}
	if p.named {
		where = string(p.fleets[0].Namespace)
	}
	return fmt.Errorf("%w: no %s is known in %s", errNotFound, who, where)
}
