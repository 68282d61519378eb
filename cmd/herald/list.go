package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
)

func (t *tool) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list [NAMESPACE]",
		Short: "List the namespaces, or the configs of one",
		Long: `Lists the namespaces, or the configs of one, without their documents. The ETag of a
config is what --if-match of put takes.`,
		Example: `  herald list
  herald list payments
  herald list payments -o json | jq -r '.configs[].name'`,
		Args: arguments(0, 1, "herald list payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if len(args) == 0 {
				return t.listNamespaces(cmd, c)
			}
			return t.listConfigs(cmd, c, args[0])
		}),
		ValidArgsFunction: t.completeNamespace,
	}
}

// list collects a whole list of the server, and each item decoded.
func list[T any](cmd *cobra.Command, c *client.Client, path, member string) ([]json.RawMessage, []T, error) {
	raws, items := []json.RawMessage{}, []T{}
	for raw, err := range c.Each(cmd.Context(), path+"?limit=1000", member) {
		if err != nil {
			return nil, nil, err
		}
		var item T
		if err := json.Unmarshal(raw, &item); err != nil {
			return nil, nil, fmt.Errorf("%s%s did not answer with a list of %s: %w", c.Server(), path, member, err)
		}
		raws, items = append(raws, raw), append(items, item)
	}
	return raws, items, nil
}

func (t *tool) listNamespaces(cmd *cobra.Command, c *client.Client) error {
	raws, namespaces, err := list[client.Namespace](cmd, c, "/v1/namespaces", "namespaces")
	if err != nil {
		return err
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"namespaces": raws})
	}
	if len(namespaces) == 0 {
		say(cmd, "no namespace yet; write the first config with: herald put NAMESPACE/NAME FILE")
		return nil
	}
	table := newTable(cmd.OutOrStdout(), "NAMESPACE", "REVISION", "CONFIGS", "UPDATED")
	for _, n := range namespaces {
		table.row(string(n.Namespace), strconv.FormatInt(int64(n.Revision), 10), strconv.Itoa(n.Configs), stamp(n.UpdatedAt))
	}
	return table.flush()
}

func (t *tool) listConfigs(cmd *cobra.Command, c *client.Client, arg string) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	raws, configs, err := list[client.Config](cmd, c, client.NamespacePath(namespace, "/configs"), "configs")
	if err != nil {
		return err
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"configs": raws})
	}
	if len(configs) == 0 {
		say(cmd, "%s has no config: all were deleted; see: herald history %s", namespace, namespace)
		return nil
	}
	table := newTable(cmd.OutOrStdout(), "NAME", "REVISION", "BYTES", "TYPE", "ETAG")
	for _, e := range configs {
		table.row(string(e.Name), strconv.FormatInt(int64(e.Revision), 10), strconv.FormatInt(e.Size, 10), e.MediaType, string(e.ETag))
	}
	return table.flush()
}
