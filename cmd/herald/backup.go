package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) backup() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the controller's whole database into a file",
		Long: `Writes a copy of the controller's database into FILE: every namespace with its
history, tokens, agents and the audit, as they stand at one moment. Writers go on
meanwhile. The controller checks the copy before it sends it, down to the hashes of
every commit and of the audit. FILE is written beside and renamed once all of it is
there, so that a former backup of that name is replaced by a whole one or stays.

The signing key is not in it: keep a copy of controller.key too, and apart.
Needs the role admin.`,
		Example: `  herald backup herald.backup
  herald restore herald.backup --db ./herald-data/controller.db   # with the controller stopped`,
		Args: arguments(1, 1, "herald backup herald.backup"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runBackup(cmd, c, args[0])
		}),
	}
}

func (t *tool) runBackup(cmd *cobra.Command, c *client.Client, path string) error {
	var report struct {
		File   string `json:"file"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
	}
	report.File = path
	err := writeWhole(path, func(out io.Writer) error {
		size, digest, err := c.Backup(cmd.Context(), out)
		report.Bytes, report.SHA256 = size, digest.Hex()
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("backup: %w", err)
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), report)
	}
	return writeLine(cmd, "%s: %d bytes, SHA-256 %s", path, report.Bytes, report.SHA256)
}

// writeWhole makes a file that only its owner reads, and gives it its name once all
// of it is on disk.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part.Name())
		}
	}()
	err = write(part)
	if err == nil {
		err = part.Sync()
	}
	if err = errors.Join(err, part.Close()); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (t *tool) restore() *cobra.Command {
	var db string
	cmd := &cobra.Command{
		Use:   "restore FILE --db PATH",
		Short: "Put a backup in the place of a controller's database",
		Long: `Puts the backup in FILE where --db says, while no controller uses that: everything in
it is checked first, and FILE stays as it is. A database that stands there is kept under
another name, which is printed.

What is restored begins a new epoch, so that agents take it over though they may hold
newer revisions of the former one. Put controller.key back beside it before the
controller starts, or agents refuse what another key signs.`,
		Example: `  herald restore herald.backup --db ./herald-data/controller.db
  controller --db ./herald-data/controller.db`,
		Args: arguments(1, 1, "herald restore herald.backup --db ./herald-data/controller.db"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if db == "" {
				return settings.Usagef("--db: say which database it is to be, as in ./herald-data/controller.db")
			}
			return t.runRestore(cmd, args[0], db)
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "the file of the database that it becomes, as the controller's --db names it")
	return cmd
}

func (t *tool) runRestore(cmd *cobra.Command, path, db string) error {
	done, err := controller.Restore(cmd.Context(), path, db)
	switch {
	case errors.Is(err, controller.ErrDamaged):
		return fmt.Errorf("%w: %s: %w", errRefused, path, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", errNotFound, err)
	case err != nil:
		return fmt.Errorf("restore: %w", err)
	}
	if done.Keyless {
		say(cmd, "there is no signing key at %s: put it back before the controller starts, or agents refuse what a new one signs", done.Key)
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), done)
	}
	if done.Former != "" {
		say(cmd, "what stood there is at %s", done.Former)
	}
	return writeLine(cmd, "%s: %d namespaces, %d commits and %d audit entries, epoch %s", db, done.Namespaces, done.Commits, done.Entries, done.Epoch)
}
