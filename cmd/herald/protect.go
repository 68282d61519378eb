package main

import (
	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
)

func (t *tool) protect() *cobra.Command {
	return t.protection(true, &cobra.Command{
		Use:   "protect NAMESPACE",
		Short: "Have changes to a namespace wait for an approval",
		Long: `Protects a namespace: whatever a publisher writes to it is checked, and then waits as a
proposal until another token approves it. A token of the role admin writes as before,
and the audit says so. It takes such a token, and so a controller that has tokens.`,
		Example: `  herald protect payments
  herald proposals payments
  herald unprotect payments`,
		Args:              arguments(1, 1, "herald protect payments"),
		ValidArgsFunction: t.completeNamespace,
	})
}

func (t *tool) unprotect() *cobra.Command {
	return t.protection(false, &cobra.Command{
		Use:   "unprotect NAMESPACE",
		Short: "Take changes to a namespace at once again",
		Long: `Ends the protection of a namespace: publishers write to it at once again. What waits
already waits on, and can be approved, rejected or withdrawn.`,
		Example:           `  herald unprotect payments`,
		Args:              arguments(1, 1, "herald unprotect payments"),
		ValidArgsFunction: t.completeNamespace,
	})
}

// protection completes a command that sets whether a namespace is protected.
func (t *tool) protection(protected bool, cmd *cobra.Command) *cobra.Command {
	cmd.RunE = t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
		return t.amend(cmd, c, args[0], client.SettingsPatch{Protected: &protected})
	})
	return triable(cmd)
}
