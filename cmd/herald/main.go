// Command herald is the operator's tool: it changes configuration, reads it, and
// says which worker runs on what. It talks to the controller over HTTP, and to a
// bus for `herald events`. It keeps nothing of its own.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

// version is set when a release is built.
var version = "dev"

func main() { os.Exit(settings.Main(root(), exitCode)) }

// A tool is what the commands share: the general flags.
type tool struct {
	server string
	token  settings.Secret
	output format
}

// client returns a client of the server that --server names.
func (t *tool) client() (*client.Client, error) {
	c, err := client.New(t.server, t.token.Reveal())
	if err != nil {
		return nil, settings.Usagef("--server: %w", err)
	}
	return c, nil
}

// A question is a command that asks the server.
type question func(cmd *cobra.Command, c *client.Client, args []string) error

// ask runs a question with a client, and adds to its error what to do next.
func (t *tool) ask(q question) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := t.client()
		if err != nil {
			return err
		}
		about := ""
		if len(args) > 0 {
			about = args[0]
		}
		if namespace := cmd.Flag("namespace"); namespace != nil && namespace.Changed {
			about = namespace.Value.String()
		}
		return advise(q(cmd, c, args), about)
	}
}

const (
	groupConfigs = "configs"
	groupFleet   = "fleet"
	groupOther   = "other"
)

func root() *cobra.Command {
	t := &tool{output: text}
	cmd := &cobra.Command{
		Use:   "herald",
		Short: "Change configuration in one place, and see every worker run on it",
		Long: `herald is the operator's tool of Herald, a distributed configuration system.

A config is a document with a name in a namespace, written NAMESPACE/NAME: its
bytes are kept as they are, be they JSON, YAML, TOML, text or anything else. Each
change makes a new revision of the namespace. Agents fetch it, workers run on it.

What a script wants goes to standard output, everything else to standard error.
Every flag is a variable too: --server is HERALD_SERVER, --token is HERALD_TOKEN
(or the content of the file that HERALD_TOKEN_FILE names).

Exit codes: 0 done · 1 failed · 2 usage · 3 not found · 4 somebody else was quicker
5 refused as invalid · 6 --wait not met · 7 server unreachable · 8 not allowed`,
		Example: `  herald put payments/limits limits.json -m "more for the sale" --wait 100%
  herald get payments/limits
  herald fleet payments`,
		Args:                  arguments(0, 0, "herald --help"),
		RunE:                  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		DisableFlagsInUseLine: true,
		CompletionOptions:     cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	flags := cmd.PersistentFlags()
	flags.SortFlags = false
	flags.StringVar(&t.server, "server", "http://127.0.0.1:8080", "the controller's address")
	settings.SecretVar(flags, &t.token, "token", "what the controller knows you by")
	flags.VarP(&t.output, "output", "o", "how results are written: text or json")
	cmd.AddGroup(
		&cobra.Group{ID: groupConfigs, Title: "Configuration:"},
		&cobra.Group{ID: groupFleet, Title: "The fleet:"},
		&cobra.Group{ID: groupOther, Title: "More:"},
	)
	group(cmd, groupConfigs, t.put(), t.commit(), t.get(), t.delete(), t.list(), t.watch(), t.history(), t.apply(), t.export(), t.schema(), t.check(), t.diff(), t.rollback(), t.revert(), t.compact(), t.namespace(), t.guards(), t.freeze(), t.thaw())
	group(cmd, groupConfigs, t.protect(), t.unprotect(), t.propose(), t.proposals(), t.approve(), t.reject())
	group(cmd, groupFleet, t.fleet(), t.agents(), t.agent(), t.status(), t.events(), t.exec())
	group(cmd, groupOther, t.tokens(), t.keys(), t.audit(), t.backup(), t.restore(), t.up(), t.version(), completion())
	cmd.SetHelpCommandGroupID(groupOther)
	cmd.SetOut(os.Stdout)
	cmd.SetErr(os.Stderr)
	return cmd
}

func group(parent *cobra.Command, id string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.GroupID = id
		cmd.Flags().SortFlags = false
		parent.AddCommand(cmd)
	}
}
