package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) agentAccept() *cobra.Command {
	return triable(&cobra.Command{
		Use:   "accept ID NAMESPACE",
		Short: "Let through what an agent refuses of a namespace",
		Long: `Lets an agent go over to the revision that it refuses, after you have looked why:
herald agents and herald fleet say so. It holds for that very revision, and for no
other. What is older than what the agent has, or is not signed, cannot be let through.`,
		Example: "  herald agent accept host-7 payments",
		Args:    arguments(2, 2, "herald agent accept host-7 payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runAgentAccept(cmd, c, args[0], args[1])
		}),
		ValidArgsFunction: t.completeAgent,
	})
}

func (t *tool) runAgentAccept(cmd *cobra.Command, c *client.Client, id, arg string) error {
	dry := tried(cmd)
	if err := config.CheckAgentID(id); err != nil {
		return settings.Usagef("%w", err)
	}
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	var agent client.Agent
	if _, err := c.Get(cmd.Context(), client.AgentPath(id), &agent); err != nil {
		return err
	}
	refused, ok := agent.Rejected[namespace]
	if !ok {
		return fmt.Errorf("%w: agent %s refuses nothing of %s", errNotFound, id, namespace)
	}
	var raw json.RawMessage
	meant := map[string]any{"namespace": namespace, "epoch": refused.Epoch, "revision": refused.Revision}
	if raw, err = c.Send(cmd.Context(), http.MethodPost, maybe(dry, client.AgentPath(id)+"/accept"), meant, &agent); err != nil {
		return err
	}
	switch {
	case agent.DryRun != dry:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), raw)
	case dry:
		return writeLine(cmd, "dry run: %s could go over to revision %d of %s, which it refuses: %s", id, refused.Revision, namespace, plain(refused.Code))
	}
	return writeLine(cmd, "%s may go over to revision %d of %s", id, refused.Revision, namespace)
}
