package main

import (
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// A putting is what put and schema put are told.
type putting struct {
	writing
	mediaType string
	ifMatch   string
	create    bool
}

// A kind is what can be put under a name.
type kind struct {
	path    func(namespace, name config.Name) string
	sources func(err error, file, mediaType string, body []byte) sources // what a refusal can be about
	said    string                                                       // before what was done
}

var configKind = kind{client.ConfigPath, func(_ error, file, mediaType string, body []byte) sources { return sourceOf(file, mediaType, body) }, ""}

func (t *tool) put() *cobra.Command {
	p := &putting{}
	cmd := &cobra.Command{
		Use:   "put NAMESPACE/NAME [FILE|-]",
		Short: "Write a config",
		Long: `Writes a config: the file's bytes, as they are, or those of standard input where
no file or "-" is given.

The media type follows from the file's name: .json .yaml .yml .toml .txt .md .html
.xml .csv …; under any other name UTF-8 is text/plain and the rest bytes. Standard
input is JSON. --type says it otherwise. JSON, YAML, TOML and text are checked.

What stands there already makes no revision. With --if-match or --create nothing is
written over what somebody else wrote meanwhile: the exit code is then 4.`,
		Example: `  herald put payments/limits limits.json -m "more for the sale"
  echo '{"rps":50}' | herald put payments/limits
  herald put payments/motd - --type text/plain < motd
  herald put payments/limits limits.json --wait 100% --timeout 30s
  herald put payments/limits limits.json --if-match "$(herald get payments/limits -o json | jq -r .etag)"`,
		Args: arguments(1, 2, "herald put payments/limits limits.json"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runPut(cmd, c, configKind, p, args)
		}),
		ValidArgsFunction: t.completeConfigThenFile,
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&p.mediaType, "type", "", "the media type, where the file's name does not say it")
	cmd.Flags().StringVar(&p.ifMatch, "if-match", "", "write only over the config of that ETag (* = over any)")
	cmd.Flags().BoolVar(&p.create, "create", false, "write only where there is no such config yet")
	return cmd
}

func (t *tool) runPut(cmd *cobra.Command, c *client.Client, k kind, p *putting, args []string) error {
	namespace, name, err := parseConfig(args[0])
	if err != nil {
		return err
	}
	header, err := p.conditions()
	if err != nil {
		return err
	}
	file := "-"
	if len(args) > 1 {
		file = args[1]
	}
	body, err := readDocument(cmd, file)
	if err != nil {
		return err
	}
	header.Set("Content-Type", p.typeOf(file, body))
	answer, err := c.Do(cmd.Context(), client.Request{
		Method: http.MethodPut, Path: p.path(k.path(namespace, name)), Header: header, Body: body,
	})
	if err != nil {
		return k.sources(err, file, header.Get("Content-Type"), body).place(cmd, c, namespace, err)
	}
	verb := "written"
	if answer.Status == http.StatusCreated {
		verb = "created"
	}
	return t.report(cmd, c, &p.writing, namespace, answer.Body, func(done client.Written) string { return k.said + sentence(done, verb) })
}

// conditions returns the fields that the flags ask for.
func (p *putting) conditions() (http.Header, error) {
	if p.create && p.ifMatch != "" {
		return nil, settings.Usagef("--create and --if-match exclude each other: what does not exist has no ETag")
	}
	if p.mediaType != "" {
		if _, err := config.NormalMediaType(p.mediaType); err != nil {
			return nil, settings.Usagef("--type: %w", err)
		}
	}
	header, err := p.header(p.ifMatch)
	if err == nil && p.create {
		header.Set("If-None-Match", "*")
	}
	return header, err
}

func (p *putting) typeOf(file string, body []byte) string {
	switch {
	case p.mediaType != "":
		return p.mediaType
	case file == "-":
		return "application/json"
	}
	return mediaTypeOf(file, body)
}

// readDocument reads a file, or standard input for "-", but not more of it than
// a document may have.
func readDocument(cmd *cobra.Command, file string) ([]byte, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, settings.Usagef("%w", err)
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	return readLimited(in, file)
}
