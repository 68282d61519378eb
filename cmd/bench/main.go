// Command bench measures Herald: each of its commands runs the real services on
// this machine and prints what it saw, so that anybody can check a figure that
// the documentation quotes. Machines differ: compare the figures of one run.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/settings"
)

func main() {
	if runChild() {
		return
	}
	root := &cobra.Command{
		Use:   "bench",
		Short: "Measure Herald on this machine",
		Long: `Runs the real services in this process and prints what it measured. Figures of
one run can be compared with each other; machines and moments differ.`,
		Example:           "  go run ./cmd/bench loop",
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(loopCommand(), ringsCommand(), puttingCommand(), floodCommand(), restartsCommand())
	root.SetOut(os.Stdout)
	root.SetErr(os.Stderr)
	os.Exit(settings.Main(root, nil))
}
