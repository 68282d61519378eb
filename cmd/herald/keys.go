package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

func (t *tool) keys() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "keys",
		Short: "List and rotate the keys that snapshots are signed by",
		Long: `The controller signs every snapshot, so that no proxy, relay, cache or backup between
it and a worker can change one unseen. Agents pin the keys that they see first (or
count those of a file, see agent --trust) and follow the chain to newer ones.`,
		Example: "  herald keys list",
	}, t.keysList(), t.keysRotate())
}

func (t *tool) keysList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show the public keys, newest first, and verify their chain",
		Long: `Shows the public keys of the controller, or of the agent that --server names, newest
first. Each is signed by the one before it, which is verified on this side: the exit
code is 1 where a link is missing or forged. No token is needed.

With -o json it prints what agent --trust FILE reads.`,
		Example: `  herald keys list
  herald keys list -o json > herald-keys.json   # for agent --trust herald-keys.json
  herald keys list --server http://127.0.0.1:8081`,
		Args: arguments(0, 0, "herald keys list"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			raw, err := c.Get(cmd.Context(), pull.KeysPath, new(json.RawMessage))
			if err != nil {
				return err
			}
			keys, err := chained(c, raw)
			if err != nil {
				return err
			}
			return t.showKeys(cmd, raw, keys)
		}),
	}
}

func (t *tool) keysRotate() *cobra.Command {
	return triable(&cobra.Command{
		Use:   "rotate",
		Short: "Replace the signing key by a new one, which the former one signs",
		Long: `Makes a new signing key, has the former one sign it, and signs with the new one from
the next revision on. What was signed stays so. Agents follow by themselves, also
those that are offline now; who has the keys in a file (agent --trust FILE) need not
change it. The former key is gone from the controller.

It helps against a key that is merely old. One that was stolen can sign successors of
its own: then replace the key and what agents pinned, as docs/operations.md says.`,
		Example: `  herald keys rotate
  herald keys rotate -o json > herald-keys.json`,
		Args: arguments(0, 0, "herald keys rotate"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			return t.runKeysRotate(cmd, c)
		}),
	})
}

func (t *tool) runKeysRotate(cmd *cobra.Command, c *client.Client) error {
	dry := tried(cmd)
	var answered struct {
		DryRun bool `json:"dry_run"`
	}
	raw, err := c.Send(cmd.Context(), http.MethodPost, maybe(dry, pull.KeysPath), struct{}{}, &answered)
	if err != nil {
		return err
	}
	keys, err := chained(c, raw)
	switch {
	case err != nil:
		return err
	case answered.DryRun != dry:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), raw)
	case dry:
		return writeLine(cmd, "dry run: %s would be replaced by a new key, which it signs", keys[0].ID)
	}
	return writeLine(cmd, "%s signs from now on; signed by %s", keys[0].ID, keys[0].SignedBy)
}

// chained reads a list of keys, and verifies that it is one chain.
func chained(c *client.Client, raw []byte) (config.Keys, error) {
	keys, err := config.ParseKeys(raw)
	if err == nil {
		err = keys.Chained()
	}
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", c.Server(), pull.KeysPath, err)
	}
	return keys, nil
}

func (t *tool) showKeys(cmd *cobra.Command, raw []byte, keys config.Keys) error {
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), json.RawMessage(raw))
	}
	table := newTable(cmd.OutOrStdout(), "ID", "SINCE", "SIGNED BY", "STATE")
	for i, key := range keys {
		state := "former"
		if i == 0 {
			state = "signs"
		}
		table.row(key.ID, stamp(key.Since), key.SignedBy, state)
	}
	return table.flush()
}
