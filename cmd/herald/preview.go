package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

// preview writes what a dry run was answered with: what would change to standard
// output, and whom it would reach to standard error.
func (t *tool) preview(cmd *cobra.Command, namespace config.Name, answer []byte) error {
	var p client.Preview
	if err := json.Unmarshal(answer, &p); err != nil || !p.DryRun || p.Namespace != namespace {
		return fmt.Errorf("%w (it does not say that this was a dry run)", errStranger)
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), json.RawMessage(answer))
	}
	if !p.Changed {
		return writeLine(cmd, "%s would stay as it is, at revision %d", namespace, p.Revision)
	}
	if err := writeChanges(cmd, append(p.Changes, p.Schemas...)); err != nil {
		return err
	}
	when := ""
	if p.Waits {
		when = ", once another token has approved it"
	}
	say(cmd, "dry run: %s would stand at revision %d%s; nothing was written", namespace, p.Revision, when)
	if len(p.Workers) > 0 {
		say(cmd, "%s would go over to it: %s", count(len(p.Workers), "worker"), workersOf(p))
	}
	return nil
}

// writeChanges writes the text of changes as it came, so that patch(1) reads it.
func writeChanges(cmd *cobra.Command, changes []client.Change) error {
	var text strings.Builder
	for _, change := range changes {
		text.WriteString(change.Text)
	}
	return written(fmt.Fprint(cmd.OutOrStdout(), text.String()))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// workersOf names the workers of a preview, but not more than fit a line.
func workersOf(p client.Preview) string {
	const most = 8
	var names []string
	for i, worker := range p.Workers {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(p.Workers)-most))
			break
		}
		names = append(names, fmt.Sprintf("%s (at %d)", plain(worker.ID), worker.Revision))
	}
	return strings.Join(names, ", ")
}
