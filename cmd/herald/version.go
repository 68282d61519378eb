package main

import (
	"runtime"

	"github.com/spf13/cobra"
)

func (t *tool) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which herald this is",
		Long:  "Prints the version of this program, of the Go that built it, and its platform. It asks no server:\nherald status says which version the controller is.",
		Example: `  herald version
  herald version -o json`,
		Args: arguments(0, 0, "herald version"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if t.output == asJSON {
				return writeJSON(cmd.OutOrStdout(), map[string]string{"version": version, "go": runtime.Version(), "platform": platform})
			}
			return writeLine(cmd, "herald %s %s %s", version, runtime.Version(), platform)
		},
	}
}
