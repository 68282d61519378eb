package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) agents() *cobra.Command {
	return &cobra.Command{
		Use:   "agents",
		Short: "List the agents, and what each has fetched",
		Long: `Lists the agents that the controller knows: online, late (missed two polls) or lost
(missed five), how often each polls, and which revision of which namespace it has.`,
		Example: `  herald agents
  herald agents -o json | jq -r '.agents[] | select(.state != "online").id'`,
		Args: arguments(0, 0, "herald agents"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			return t.runAgents(cmd, c)
		}),
	}
}

func (t *tool) runAgents(cmd *cobra.Command, c *client.Client) error {
	raws, agents, err := list[client.Agent](cmd, c, "/v1/agents", "agents")
	if err != nil {
		return err
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"agents": raws})
	}
	if len(agents) == 0 {
		say(cmd, "no agent has registered yet")
		return nil
	}
	table := newTable(cmd.OutOrStdout(), "AGENT", "STATE", "POLLS EVERY", "SEEN", "FETCHED", "REFUSES")
	for _, a := range agents {
		table.row(a.ID, a.State, pollInterval(a), since(a.LastSeen), fetched(a), refuses(a))
	}
	return table.flush()
}

func pollInterval(a client.Agent) string {
	return time.Duration(a.PollIntervalSeconds * float64(time.Second)).String()
}

// fetched lists what an agent has, as in payments@42; what it follows without
// having it is a name alone.
func fetched(a client.Agent) string {
	names := map[config.Name]string{}
	for _, name := range a.Namespaces {
		names[name] = string(name)
	}
	for name, has := range a.Fetched {
		names[name] = fmt.Sprintf("%s@%d", name, has.Revision)
	}
	return strings.Join(slices.Sorted(maps.Values(names)), ", ")
}

// refuses lists what an agent does not go over to, and why.
func refuses(a client.Agent) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(a.Rejected)) {
		r := a.Rejected[name]
		all = append(all, fmt.Sprintf("%s@%d: %s", name, r.Revision, r.Code))
	}
	return strings.Join(all, ", ")
}

func (t *tool) agent() *cobra.Command {
	return parent(&cobra.Command{
		Use:     "agent",
		Short:   "Change how an agent works, while it runs",
		Long:    "Changes what the controller tells an agent. Which agents there are: herald agents",
		Example: "  herald agent set host-7 --poll-interval 5s",
	}, t.agentSet(), t.agentAccept())
}

func (t *tool) agentSet() *cobra.Command {
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "set ID --poll-interval DURATION",
		Short: "Set how often an agent asks the controller",
		Long: `Sets how often an agent asks the controller. It hears of it with its next answer, and
needs no restart. A notification still makes it ask at once.`,
		Example: "  herald agent set host-7 --poll-interval 5s",
		Args:    arguments(1, 1, "herald agent set host-7 --poll-interval 5s"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runAgentSet(cmd, c, args[0], interval)
		}),
		ValidArgsFunction: t.completeAgent,
	}
	cmd.Flags().DurationVar(&interval, "poll-interval", 0, "how often it asks (needed)")
	return triable(cmd)
}

func (t *tool) runAgentSet(cmd *cobra.Command, c *client.Client, id string, interval time.Duration) error {
	dry := tried(cmd)
	if err := config.CheckAgentID(id); err != nil {
		return settings.Usagef("%w", err)
	}
	if interval <= 0 {
		return settings.Usagef("say how often, as in: herald agent set %s --poll-interval 5s", id)
	}
	var agent client.Agent
	change := map[string]float64{"poll_interval_seconds": interval.Seconds()}
	raw, err := c.Send(cmd.Context(), http.MethodPatch, maybe(dry, client.AgentPath(id)), change, &agent)
	if err != nil {
		return err
	}
	switch {
	case agent.ID != id || agent.DryRun != dry:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), raw)
	case dry:
		return writeLine(cmd, "dry run: %s would poll every %s", id, pollInterval(agent))
	}
	return writeLine(cmd, "%s polls every %s", id, pollInterval(agent))
}
