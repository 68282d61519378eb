package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

func (t *tool) export() *cobra.Command {
	return &cobra.Command{
		Use:   "export NAMESPACE DIR",
		Short: "Write a namespace's configs into a folder",
		Long: `Writes each config of a namespace into a folder, to the byte: a file that is called
after the config, with the extension of its media type (.json .yaml .toml .txt …, and
.bin for bytes that have none of their own). The folder is made if it is not there.
Files that stand for no config are left alone, and named.

It is the reverse of herald apply: applying what was exported changes nothing.`,
		Example: `  herald export payments ./payments
  herald export payments ./payments && git -C ./payments diff`,
		Args: arguments(2, 2, "herald export payments ./payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runExport(cmd, c, args[0], args[1])
		}),
		ValidArgsFunction: t.completeNamespaceThenFolder,
	}
}

func (t *tool) runExport(cmd *cobra.Command, c *client.Client, arg, dir string) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	snapshot, err := c.Snapshot(cmd.Context(), namespace, "", 0)
	if err != nil {
		return err
	}
	files, changed, err := exportTo(cmd, dir, snapshot)
	if err != nil {
		return err
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), struct {
			Namespace config.Name     `json:"namespace"`
			Revision  config.Revision `json:"revision"`
			Files     []string        `json:"files"`
			Changed   bool            `json:"changed"`
		}{namespace, snapshot.Revision, files, changed})
	}
	return writeLine(cmd, "%s at revision %d: %d configs in %s", namespace, snapshot.Revision, len(files), dir)
}

// exportTo writes a snapshot's configs into a folder, and returns their files.
func exportTo(cmd *cobra.Command, dir string, snapshot *config.Snapshot) (files []string, changed bool, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, false, fmt.Errorf("export: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, false, fmt.Errorf("export: %w", err)
	}
	defer func() { _ = root.Close() }()
	files = []string{}
	ours := map[string]bool{}
	for _, e := range snapshot.Configs {
		path := string(e.Name) + extensionOf(e.MediaType)
		written, err := writeFile(root, path, e.Body)
		if err != nil {
			return nil, false, err
		}
		if written {
			say(cmd, "written: %s", path)
		}
		files, ours[path], changed = append(files, path), true, changed || written
	}
	return files, changed, foreign(cmd, dir, ours)
}

// foreign names the files of a folder that an apply would read and that stand
// for no config.
func foreign(cmd *cobra.Command, dir string, ours map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for _, entry := range entries {
		if path := entry.Name(); !entry.IsDir() && !ours[path] && !strings.HasPrefix(path, ".") {
			say(cmd, "left alone, it is none of the namespace's configs: %s", path)
		}
	}
	return nil
}

func join(names []config.Name) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}
