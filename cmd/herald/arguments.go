package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// arguments refuses a call with too few or too many arguments, and shows how it
// is written.
func arguments(least, most int, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return settings.Usagef("an argument is missing; write it as in: %s", example)
		case len(args) > most && cmd.HasSubCommands():
			return unknownCommand(cmd, args[most])
		case len(args) > most:
			return settings.Usagef("%q is one argument too many; write it as in: %s", args[most], example)
		}
		return nil
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	if like := cmd.SuggestionsFor(name); len(like) > 0 {
		return settings.Usagef("there is no command %q; did you mean: %s %s", name, cmd.CommandPath(), like[0])
	}
	return settings.Usagef("there is no command %q; see what there is with: %s --help", name, cmd.CommandPath())
}

// parent makes a command that only holds others say which there are.
func parent(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	names := make([]string, len(children))
	for i, child := range children {
		names[i] = cmd.Name() + " " + child.Name()
		child.Flags().SortFlags = false
	}
	cmd.AddCommand(children...)
	cmd.Args = arguments(0, 0, "herald "+names[0])
	cmd.RunE = func(*cobra.Command, []string) error {
		return settings.Usagef("say which: herald %s", strings.Join(names, ", herald "))
	}
	return cmd
}

func parseNamespace(arg string) (config.Name, error) {
	name, err := config.ParseName(arg)
	if err != nil {
		return "", settings.Usagef("namespace: %w", err)
	}
	return name, nil
}

// parseConfig reads NAMESPACE/NAME.
func parseConfig(arg string) (namespace, name config.Name, err error) {
	before, after, both := strings.Cut(arg, "/")
	if !both {
		return "", "", settings.Usagef("%q names no config; write NAMESPACE/NAME, as in payments/limits", arg)
	}
	if namespace, err = parseNamespace(before); err != nil {
		return "", "", err
	}
	if name, err = config.ParseName(after); err != nil {
		return "", "", settings.Usagef("config: %w", err)
	}
	return namespace, name, nil
}

// parseEither reads NAMESPACE or NAMESPACE/NAME; name is "" for the former.
func parseEither(arg string) (namespace, name config.Name, err error) {
	if strings.Contains(arg, "/") {
		return parseConfig(arg)
	}
	namespace, err = parseNamespace(arg)
	return namespace, "", err
}
