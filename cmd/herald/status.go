package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/httpapi"
)

func (t *tool) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say whether the controller is there and ready",
		Long: `Asks the server whether it is ready, what it says of itself, and which namespaces it
has. The exit code is 7 if it cannot be reached or is not ready. Of an agent or a
worker (--server http://127.0.0.1:8081) it shows what that says of itself.`,
		Example: `  herald status
  herald status --server http://127.0.0.1:8081
  until herald status >/dev/null 2>&1; do sleep 1; done`,
		Args: arguments(0, 0, "herald status"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			return t.runStatus(cmd, c)
		}),
	}
}

// A report is what status finds out.
type report struct {
	Server     string            `json:"server"`
	Ready      bool              `json:"ready"`
	Reason     string            `json:"reason,omitempty"`
	Status     json.RawMessage   `json:"status,omitempty"`
	Namespaces []json.RawMessage `json:"namespaces,omitempty"`
}

func (t *tool) runStatus(cmd *cobra.Command, c *client.Client) error {
	found := report{Server: c.Server()}
	_, err := c.Do(cmd.Context(), client.Request{Path: "/readyz"})
	notReady, answered := errors.AsType[*httpapi.Problem](err)
	switch {
	case err == nil:
		found.Ready = true
	case !answered || notReady.Status != http.StatusServiceUnavailable:
		return err
	default:
		found.Reason = notReady.Detail
	}
	var says map[string]any
	if found.Status, err = c.Get(cmd.Context(), "/v1/status", &says); err != nil {
		return err
	}
	var namespaces []client.Namespace
	found.Namespaces, namespaces, err = list[client.Namespace](cmd, c, "/v1/namespaces", "namespaces")
	if err != nil && exitCode(err) != exitNotFound && exitCode(err) != exitUnavailable {
		return err
	}
	if err := t.writeReport(cmd, found, says, namespaces); err != nil {
		return err
	}
	if !found.Ready {
		return fmt.Errorf("%w: %s is not ready: %s", errUnavailable, found.Server, found.Reason)
	}
	return nil
}

func (t *tool) writeReport(cmd *cobra.Command, found report, says map[string]any, namespaces []client.Namespace) error {
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), found)
	}
	table := newTable(cmd.OutOrStdout())
	table.row("server", found.Server)
	table.row("ready", map[bool]string{true: "yes", false: "no: " + found.Reason}[found.Ready])
	for _, key := range []string{"version", "id", "epoch"} {
		if value, ok := says[key].(string); ok {
			table.row(key, value)
		}
	}
	for _, key := range []string{"bus", "upstream", "agent"} {
		if peer, ok := says[key].(map[string]any); ok {
			table.row(key, fmt.Sprint(peer["state"]))
		}
	}
	for _, n := range namespaces {
		table.row("namespace", string(n.Namespace)+" at revision "+strconv.FormatInt(int64(n.Revision), 10))
	}
	return table.flush()
}
