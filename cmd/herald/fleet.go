package main

import (
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

func (t *tool) fleet() *cobra.Command {
	return &cobra.Command{
		Use:   "fleet [NAMESPACE]",
		Short: "Say which worker runs on what, and why not on the newest",
		Long: `Shows the workers of a namespace, each with the revision that it runs on and, where
it refused one, why: current, behind (not there yet), rejected (refused the newest
and runs on its last good) or lost (not seen for a while). Without a namespace it
sums up all of them.`,
		Example: `  herald fleet
  herald fleet payments
  herald fleet payments -o json | jq -r '.workers[] | select(.state == "rejected").id'`,
		Args: arguments(0, 1, "herald fleet payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if len(args) == 0 {
				return t.fleets(cmd, c)
			}
			return t.fleetOf(cmd, c, args[0])
		}),
		ValidArgsFunction: t.completeNamespace,
	}
}

func (t *tool) fleetOf(cmd *cobra.Command, c *client.Client, arg string) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	fleet, raw, err := readFleet(cmd, c, namespace)
	if err != nil {
		return err
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), raw)
	}
	s := fleet.Summary
	if err := writeLine(cmd, "%s at revision %d: %d workers, %d current, %d behind, %d rejected, %d lost",
		namespace, fleet.Revision, s.Workers, s.Current, s.Behind, s.Rejected, s.Lost); err != nil {
		return err
	}
	if len(fleet.Workers) == 0 {
		return nil
	}
	table := newTable(cmd.OutOrStdout(), "WORKER", "AGENT", "STATE", "RUNS ON", "SEEN", "REFUSED")
	for _, w := range fleet.Workers {
		table.row(w.ID, w.Agent, w.State, runsOn(w), since(w.LastSeen), refused(w))
	}
	return table.flush()
}

// readFleet asks for a namespace's fleet, and returns it as it came, too.
func readFleet(cmd *cobra.Command, c *client.Client, namespace config.Name) (fleet client.Fleet, raw json.RawMessage, err error) {
	raw, err = c.Get(cmd.Context(), client.NamespacePath(namespace, "/fleet"), &fleet)
	if err == nil && fleet.Namespace != namespace {
		err = errStranger
	}
	return fleet, raw, err
}

func runsOn(w client.Worker) string {
	if w.Running == nil {
		return ""
	}
	return strconv.FormatInt(int64(w.Running.Revision), 10)
}

// refused is what a worker refused last, unless it has gone beyond it since.
func refused(w client.Worker) string {
	no := w.LastRejected
	if no == nil || (w.Running != nil && w.Running.Revision >= no.Revision) {
		return ""
	}
	return strconv.FormatInt(int64(no.Revision), 10) + ": " + no.Code + ": " + no.Message
}

// fleets sums up the fleet of each namespace.
func (t *tool) fleets(cmd *cobra.Command, c *client.Client) error {
	_, namespaces, err := list[client.Namespace](cmd, c, "/v1/namespaces", "namespaces")
	if err != nil {
		return err
	}
	bodies := []json.RawMessage{}
	table := newTable(cmd.OutOrStdout(), "NAMESPACE", "REVISION", "WORKERS", "CURRENT", "BEHIND", "REJECTED", "LOST")
	for _, n := range namespaces {
		fleet, raw, err := readFleet(cmd, c, n.Namespace)
		if err != nil {
			return err
		}
		bodies = append(bodies, raw)
		table.row(fleetRow(n.Namespace, fleet)...)
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"fleet": bodies})
	}
	return table.flush()
}

func fleetRow(namespace config.Name, fleet client.Fleet) []string {
	row := []string{string(namespace), strconv.FormatInt(int64(fleet.Revision), 10)}
	s := fleet.Summary
	for _, n := range []int{s.Workers, s.Current, s.Behind, s.Rejected, s.Lost} {
		row = append(row, strconv.Itoa(n))
	}
	return row
}
