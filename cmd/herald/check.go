package main

import (
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
)

func (t *tool) check() *cobra.Command {
	p := &putting{writing: writing{timeout: time.Minute}} // of the flags of a write it has but --force
	cmd := &cobra.Command{
		Use:   "check NAMESPACE/NAME FILE|-",
		Short: "Say whether a config would be taken, and write nothing",
		Long: `Asks the controller whether it would take a file as a config: its syntax, its schema
and the guards, exactly as for put. Nothing is written, so a token that may only read
is enough: this is for CI, where configs are kept in git.

What is wrong is said on standard error with line and column; the exit code is then 5.`,
		Example: `  herald check payments/limits limits.json
  herald check payments/limits - --type application/yaml < limits.yaml`,
		Args: arguments(2, 2, "herald check payments/limits limits.json"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runCheck(cmd, c, p, args)
		}),
		ValidArgsFunction: t.completeConfigThenFile,
	}
	cmd.Flags().StringVar(&p.mediaType, "type", "", "the media type, where the file's name does not say it")
	cmd.Flags().BoolVar(&p.force, "force", false, "as if it were put with --force: without the guards")
	return cmd
}

func (t *tool) runCheck(cmd *cobra.Command, c *client.Client, p *putting, args []string) error {
	namespace, name, err := parseConfig(args[0])
	if err != nil {
		return err
	}
	header, err := p.conditions()
	if err != nil {
		return err
	}
	body, err := readDocument(cmd, args[1])
	if err != nil {
		return err
	}
	header.Set("Content-Type", p.typeOf(args[1], body))
	answer, err := c.Do(cmd.Context(), client.Request{
		Method: http.MethodPost, Path: p.path(client.ConfigPath(namespace, name) + "/checks"), Header: header, Body: body,
	})
	if err != nil {
		return sourceOf(args[1], header.Get("Content-Type"), body).place(cmd, c, namespace, err)
	}
	if t.output == asJSON {
		return t.preview(cmd, namespace, answer.Body)
	}
	return writeLine(cmd, "%s/%s would be taken", namespace, name)
}
