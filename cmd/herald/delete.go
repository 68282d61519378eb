package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
)

func (t *tool) delete() *cobra.Command {
	w, ifMatch := &writing{}, ""
	cmd := &cobra.Command{
		Use:   "delete NAMESPACE/NAME",
		Short: "Delete a config",
		Long: `Deletes a config: the namespace's next revision has a tombstone in its place. What
stood there before can still be read with: herald get NAMESPACE/NAME --revision N
With --if-match nothing is deleted that somebody else wrote meanwhile: the exit code
is then 4.`,
		Example: `  herald delete payments/old-limits -m "nobody reads it any more"
  herald delete payments/old-limits --wait 100%`,
		Args: arguments(1, 1, "herald delete payments/old-limits"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runDelete(cmd, c, w, ifMatch, args[0])
		}),
		ValidArgsFunction: t.completeConfig,
	}
	w.flags(cmd)
	cmd.Flags().StringVar(&ifMatch, "if-match", "", "delete only the config of that ETag")
	return cmd
}

func (t *tool) runDelete(cmd *cobra.Command, c *client.Client, w *writing, ifMatch, arg string) error {
	namespace, name, err := parseConfig(arg)
	if err != nil {
		return err
	}
	header, err := w.header(ifMatch)
	if err != nil {
		return err
	}
	answer, err := c.Do(cmd.Context(), client.Request{Method: http.MethodDelete, Path: w.path(client.ConfigPath(namespace, name)), Header: header})
	if err != nil {
		return err
	}
	return t.report(cmd, c, w, namespace, answer.Body, func(done client.Written) string { return sentence(done, "deleted") })
}
