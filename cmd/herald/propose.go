package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// A proposing is what propose is told.
type proposing struct {
	applying
	mediaType string
	remove    bool
}

func (t *tool) propose() *cobra.Command {
	p := &proposing{applying: applying{below: "/proposals", writing: writing{timeout: time.Minute}}}
	cmd := &cobra.Command{
		Use:   "propose NAMESPACE/NAME [FILE|-] | propose -n NAMESPACE DIR",
		Short: "Ask for a change that another token has to approve",
		Long: `Checks a change as if it were made, and keeps it as a proposal that waits for the
approval of another token: of one config, as put writes it, or of what differs between
a folder and a namespace, as apply does it.

In a protected namespace put, apply and all that writes propose by themselves, unless
the token is an admin's. What is proposed so waits in any namespace, whoever proposes.
A proposal that nobody decides expires after 30 days.`,
		Example: `  herald propose payments/limits limits.json -m "more for the sale"
  herald propose payments/old-limits --delete
  herald propose -n payments ./payments --prune -m "as in git"`,
		Args: arguments(1, 2, "herald propose payments/limits limits.json"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runPropose(cmd, c, p, args)
		}),
		ValidArgsFunction: t.completeConfigThenFile,
	}
	flags := cmd.Flags()
	flags.StringVarP(&p.namespace, "namespace", "n", "", "the namespace of a folder")
	flags.BoolVar(&p.prune, "prune", false, "with a folder: delete the configs that it lacks")
	flags.BoolVar(&p.remove, "delete", false, "delete the config")
	flags.StringVar(&p.mediaType, "type", "", "the media type, where the file's name does not say it")
	flags.StringVarP(&p.message, "message", "m", "", "why: one line for who approves, and for the history")
	flags.BoolVar(&p.dryRun, "dry-run", false, "only say what would change, or be refused")
	flags.BoolVar(&p.force, "force", false, "pass the guards: what is emptied or deleted is meant to be")
	_ = cmd.RegisterFlagCompletionFunc("namespace", t.completeNamespaceFlag) // the flag is there
	return cmd
}

func (t *tool) runPropose(cmd *cobra.Command, c *client.Client, p *proposing, args []string) error {
	folder := p.namespace != ""
	switch {
	case folder && (p.remove || p.mediaType != "" || len(args) > 1):
		return settings.Usagef("with a folder there is one argument, and no --delete and no --type, as in: herald propose -n payments ./payments")
	case folder:
		return t.runApply(cmd, c, &p.applying, args[0])
	case p.prune:
		return settings.Usagef("--prune is for a folder, as in: herald propose -n payments ./payments --prune")
	case p.remove && (p.mediaType != "" || len(args) > 1):
		return settings.Usagef("--delete takes no document, as in: herald propose payments/old-limits --delete")
	}
	namespace, name, err := parseConfig(args[0])
	if err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	return t.proposeOne(cmd, c, p, namespace, name, args[1:])
}

// proposeOne proposes one config, or the deletion of one.
func (t *tool) proposeOne(cmd *cobra.Command, c *client.Client, p *proposing, namespace, name config.Name, files []string) error {
	asked := change{Op: "delete", Name: name}
	if !p.remove {
		path := "-"
		if len(files) > 0 {
			path = files[0]
		}
		put := putting{writing: p.writing, mediaType: p.mediaType}
		if _, err := put.conditions(); err != nil {
			return err
		}
		body, err := readDocument(cmd, path)
		if err != nil {
			return err
		}
		kind := put.typeOf(path, body)
		asked = putChange(file{name: name, path: calledOf(path), body: body}, config.Document{MediaType: kind, Body: body}, "")
	}
	request := commitRequest{Message: p.message, Changes: []change{asked}}
	return t.send(cmd, c, &p.writing, client.NamespacePath(namespace, p.below), namespace, request,
		func(done client.Written) string { return sentence(done, "proposed") })
}
