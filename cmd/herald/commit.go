package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// A committing is what commit is told.
type committing struct {
	writing
	namespace string
	deletes   []string
	types     map[string]string // media types by config
	base      int64             // the revision that the namespace must stand at, -1 for any
}

func (t *tool) commit() *cobra.Command {
	w := &committing{}
	cmd := &cobra.Command{
		Use:   "commit -n NAMESPACE [NAME=FILE|NAME=-]… [--delete NAME]…",
		Short: "Write and delete several configs of a namespace, in one commit",
		Long: `Writes several configs, and deletes others, as one revision: every worker sees all of
it or nothing. Each document is a file, or standard input where "-" stands for it (one
of them at most), its bytes as they are. Configs that are not named stay.

The media type follows from the file's name as for put; --type NAME=MEDIA says it
otherwise. With --base-revision nothing is written where the namespace stands elsewhere
by now: the exit code is then 4. A folder as a whole is herald apply's.`,
		Example: `  herald commit -n payments limits=limits.json motd=motd.txt -m "the sale begins"
  herald commit -n payments limits=- --delete old-limits --wait 99% < limits.json
  herald commit -n payments limits=limits.json --base-revision 41 --dry-run`,
		Args: arguments(0, math.MaxInt, "herald commit -n payments limits=limits.json --delete old-limits"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error { return t.runCommit(cmd, c, w, args) }),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&w.namespace, "namespace", "n", "", "the namespace (needed)")
	flags.StringArrayVar(&w.deletes, "delete", nil, "delete this config (may be said several times)")
	flags.StringToStringVar(&w.types, "type", nil, "media types, where files' names do not say them: NAME=MEDIA")
	flags.Int64Var(&w.base, "base-revision", -1, "write only if the namespace stands at that revision (0: if there is no such namespace yet)")
	w.flags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("namespace", t.completeNamespaceFlag) // the flag is there
	return cmd
}

func (t *tool) runCommit(cmd *cobra.Command, c *client.Client, w *committing, args []string) error {
	if w.namespace == "" {
		return settings.Usagef("say which namespace, as in: herald commit -n payments limits=limits.json")
	}
	namespace, err := parseNamespace(w.namespace)
	if err != nil {
		return err
	}
	if err := w.check(); err != nil {
		return err
	}
	changes, err := w.changes(cmd, args)
	if err != nil {
		return err
	}
	request := commitRequest{Message: w.message, Changes: changes}
	if w.base >= 0 {
		request.Base = new(config.Revision(w.base))
	}
	puts := len(changes) - len(w.deletes)
	return t.send(cmd, c, &w.writing, client.NamespacePath(namespace, "/commits"), namespace, request, func(done client.Written) string {
		if !done.Changed {
			return fmt.Sprintf("%s unchanged, at revision %d", done.Namespace, done.Revision)
		}
		return fmt.Sprintf("%s written, revision %d: %d put, %d deleted", done.Namespace, done.Revision, puts, len(w.deletes))
	})
}

// changes reads what is to be written. Its errors are of usage, or of a document that
// is too large.
func (w *committing) changes(cmd *cobra.Command, args []string) ([]change, error) {
	var changes []change
	for _, arg := range args {
		name, path, ok := strings.Cut(arg, "=")
		if !ok || path == "" {
			return nil, settings.Usagef("%q: write NAME=FILE, as in limits=limits.json", arg)
		}
		if path == "-" && slices.ContainsFunc(changes, func(c change) bool { return c.file == standardInput }) {
			return nil, settings.Usagef("%s: standard input is one document alone", arg)
		}
		body, err := readDocument(cmd, path)
		if err != nil {
			return nil, err
		}
		put := putting{writing: w.writing, mediaType: w.types[name]}
		if _, err := put.conditions(); err != nil {
			return nil, err
		}
		kind := put.typeOf(path, body)
		changes = append(changes, putChange(file{name: config.Name(name), path: calledOf(path), body: body}, config.Document{MediaType: kind, Body: body}, ""))
	}
	for _, name := range w.deletes {
		changes = append(changes, change{Op: "delete", Name: config.Name(name)})
	}
	return changes, w.sensible(changes)
}

// sensible returns an error of usage unless each change is of one config, each config
// is named once, and each type is of one that is written.
func (w *committing) sensible(changes []change) error {
	if len(changes) == 0 {
		return settings.Usagef("say what to write, as in: herald commit -n %s limits=limits.json --delete old-limits", w.namespace)
	}
	seen := map[config.Name]string{}
	for _, change := range changes {
		if _, err := config.ParseName(string(change.Name)); err != nil {
			return settings.Usagef("config: %w", err)
		}
		if _, twice := seen[change.Name]; twice {
			return settings.Usagef("%s is named twice: a commit changes each config once", change.Name)
		}
		seen[change.Name] = change.Op
	}
	for name := range w.types {
		if seen[config.Name(name)] != "put" {
			return settings.Usagef("--type %s: there is no document %s in this commit", name, name)
		}
	}
	return nil
}
