package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

// completionTimeout is how long a shell waits for the server when somebody
// presses tab.
const completionTimeout = time.Second

func completion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print what makes a shell complete herald's commands, flags and names",
		Long: `Prints a script for a shell. Once it is loaded, tab completes commands and flags, and
namespaces, configs and agents as the server of --server has them.`,
		Example: `  source <(herald completion bash)
  herald completion bash > /etc/bash_completion.d/herald
  herald completion zsh > "${fpath[1]}/_herald"
  herald completion fish > ~/.config/fish/completions/herald.fish`,
		Args:      arguments(1, 1, "herald completion bash"),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return settings.Usagef("no completion for %q; there is one for bash, zsh and fish", args[0])
		},
	}
}

// completeNamespace proposes the namespaces as the only argument.
func (t *tool) completeNamespace(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return t.namesBelow(cmd, "/v1/namespaces", "namespaces", ""), cobra.ShellCompDirectiveNoFileComp
}

// completeNamespaceFlag proposes the namespaces as the value of a flag.
func (t *tool) completeNamespaceFlag(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	return t.completeNamespace(cmd, nil, begun)
}

// completeConfig proposes namespaces, and once there is a slash their configs.
func (t *tool) completeConfig(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	before, _, slash := strings.Cut(begun, "/")
	if !slash {
		proposals := t.namesBelow(cmd, "/v1/namespaces", "namespaces", "")
		for i := range proposals {
			proposals[i] += "/"
		}
		return proposals, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	namespace, err := parseNamespace(before)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return t.namesBelow(cmd, client.NamespacePath(namespace, "/configs"), "configs", before+"/"), cobra.ShellCompDirectiveNoFileComp
}

// completeConfigThenFile leaves the second argument to the shell's files.
func (t *tool) completeConfigThenFile(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return t.completeConfig(cmd, args, begun)
}

// completeNamespaceThenFolder leaves the second argument to the shell's folders.
func (t *tool) completeNamespaceThenFolder(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return t.completeNamespace(cmd, args, begun)
}

// completeAgent proposes the agents as the only argument.
func (t *tool) completeAgent(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return t.namesBelow(cmd, "/v1/agents", "agents", ""), cobra.ShellCompDirectiveNoFileComp
}

// namesBelow lists names that the server has, each behind a prefix. A server that
// does not answer proposes nothing: a shell is no place for its errors.
func (t *tool) namesBelow(cmd *cobra.Command, path, member, prefix string) []string {
	c, err := t.client()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	cmd.SetContext(ctx)
	_, items, err := list[struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
		ID        string `json:"id"`
	}](cmd, c, path, member)
	if err != nil {
		return nil
	}
	proposals := make([]string, len(items))
	for i, item := range items {
		proposals[i] = prefix + plain(item.Namespace+item.Name+item.ID)
	}
	return proposals
}
