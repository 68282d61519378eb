package main

import (
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// schemaType is the media type of a schema from a file that says none of its own.
const schemaType = "application/schema+json"

func (t *tool) schema() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Say what configs must look like, as JSON Schema",
		Long: `Keeps JSON Schemas (drafts 4, 6, 7, 2019-09 and 2020-12): the config of the same name
must meet its schema from then on, be it JSON, YAML or TOML. A $ref leads to another
schema of the namespace, by its $id or its name; nothing is fetched.

A schema is a change like any other: it makes a revision, stands in the history, and
is refused while the config that stands does not meet it, unless --force is said.`,
		Example: `  herald schema put payments/limits limits.schema.json
  herald schema get payments/limits`,
	}
	return parent(cmd, t.schemaPut(), t.schemaGet(), t.schemaDelete(), t.schemaList())
}

var schemaKind = kind{schemaPath, schemaSources, "schema "}

// schemaPath is the path of one schema.
func schemaPath(namespace, name config.Name) string {
	return client.NamespacePath(namespace, "/schemas/"+string(name))
}

func (t *tool) schemaPut() *cobra.Command {
	p := &putting{mediaType: schemaType}
	cmd := &cobra.Command{
		Use:   "put NAMESPACE/NAME [FILE|-]",
		Short: "Write the schema of a config",
		Long: `Writes the schema that the config of this name must meet from then on. Where the
schema is none, or what stands does not meet it, that is said on standard error with
line and column, nothing is written, and the exit code is 5. --force passes what
stands, never what is written later.`,
		Example: `  herald schema put payments/limits limits.schema.json -m "rates are numbers"
  herald schema put payments/limits limits.schema.json --dry-run`,
		Args: arguments(1, 2, "herald schema put payments/limits limits.schema.json"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runPut(cmd, c, schemaKind, p, args)
		}),
		ValidArgsFunction: t.completeConfigThenFile,
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&p.ifMatch, "if-match", "", "write only over the schema of that ETag (* = over any)")
	cmd.Flags().BoolVar(&p.create, "create", false, "write only where there is no such schema yet")
	return cmd
}

// schemaSources are what a refusal can be about: the schema, or configs that stand.
func schemaSources(err error, file, mediaType string, body []byte) sources {
	if hasCode(err, "invalid_schema") {
		return sourceOf(file, mediaType, body)
	}
	return sources{}
}

func (t *tool) schemaGet() *cobra.Command {
	var revision int64
	cmd := &cobra.Command{
		Use:     "get NAMESPACE/NAME",
		Short:   "Print a schema as it was written",
		Long:    `Prints the very bytes of a schema, with nothing added; --revision as it stood earlier.`,
		Example: `  herald schema get payments/limits > limits.schema.json`,
		Args:    arguments(1, 1, "herald schema get payments/limits"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runSchemaGet(cmd, c, args[0], revision)
		}),
		ValidArgsFunction: t.completeConfig,
	}
	cmd.Flags().Int64Var(&revision, "revision", 0, "as it stood at that revision (default: the newest)")
	return cmd
}

func (t *tool) runSchemaGet(cmd *cobra.Command, c *client.Client, arg string, revision int64) error {
	namespace, name, err := parseConfig(arg)
	if err != nil {
		return err
	}
	if revision < 0 {
		return settings.Usagef("--revision: revisions are numbered from 1")
	}
	path := schemaPath(namespace, name)
	if revision > 0 {
		path += "?revision=" + strconv.FormatInt(revision, 10)
	}
	answer, err := c.Do(cmd.Context(), client.Request{Path: path})
	if err != nil {
		return err
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), describe(namespace, name, answer))
	}
	return written(cmd.OutOrStdout().Write(answer.Body))
}

func (t *tool) schemaDelete() *cobra.Command {
	w, ifMatch := &writing{}, ""
	cmd := &cobra.Command{
		Use:   "delete NAMESPACE/NAME",
		Short: "Delete a schema, and free the config of its name",
		Long: `Deletes a schema: the config of its name may be anything from then on. One that another
schema refers to stays, and the exit code is then 5.`,
		Example: `  herald schema delete payments/limits`,
		Args:    arguments(1, 1, "herald schema delete payments/limits"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runSchemaDelete(cmd, c, w, ifMatch, args[0])
		}),
		ValidArgsFunction: t.completeConfig,
	}
	w.flags(cmd)
	cmd.Flags().StringVar(&ifMatch, "if-match", "", "delete only the schema of that ETag")
	return cmd
}

func (t *tool) runSchemaDelete(cmd *cobra.Command, c *client.Client, w *writing, ifMatch, arg string) error {
	namespace, name, err := parseConfig(arg)
	if err != nil {
		return err
	}
	header, err := w.header(ifMatch)
	if err != nil {
		return err
	}
	answer, err := c.Do(cmd.Context(), client.Request{Method: http.MethodDelete, Path: w.path(schemaPath(namespace, name)), Header: header})
	if err != nil {
		return err
	}
	return t.report(cmd, c, w, namespace, answer.Body, func(done client.Written) string { return "schema " + sentence(done, "deleted") })
}

func (t *tool) schemaList() *cobra.Command {
	return &cobra.Command{
		Use:     "list NAMESPACE",
		Short:   "List the schemas of a namespace",
		Long:    `Lists the schemas that stand in a namespace, without their documents.`,
		Example: `  herald schema list payments`,
		Args:    arguments(1, 1, "herald schema list payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runSchemaList(cmd, c, args[0])
		}),
		ValidArgsFunction: t.completeNamespace,
	}
}

func (t *tool) runSchemaList(cmd *cobra.Command, c *client.Client, arg string) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	raws, schemas, err := list[client.Config](cmd, c, client.NamespacePath(namespace, "/schemas"), "schemas")
	if err != nil {
		return err
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"schemas": raws})
	}
	if len(schemas) == 0 {
		say(cmd, "%s has no schema", namespace)
		return nil
	}
	table := newTable(cmd.OutOrStdout(), "NAME", "REVISION", "SIZE", "ETAG")
	for _, s := range schemas {
		table.row(string(s.Name), strconv.FormatInt(int64(s.Revision), 10), strconv.FormatInt(s.Size, 10), string(s.ETag))
	}
	return table.flush()
}
