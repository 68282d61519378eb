package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) history() *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use:   "history NAMESPACE | history NAMESPACE/NAME",
		Short: "Show who changed what, when and why",
		Long: `Shows the commits of a namespace, or those that touched one config, newest first:
one line a revision. Deleted configs have a "-" before their name. Behind the author
of what was a proposal stands who approved it.`,
		Example: `  herald history payments
  herald history payments/limits --limit 5
  herald history payments -o json | jq -r '.revisions[0].message'`,
		Args: arguments(1, 1, "herald history payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runHistory(cmd, c, args[0], limit)
		}),
		ValidArgsFunction: t.completeConfig,
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many commits at most")
	return cmd
}

func (t *tool) runHistory(cmd *cobra.Command, c *client.Client, arg string, limit int) error {
	namespace, name, err := parseEither(arg)
	if err != nil {
		return err
	}
	if limit < 1 {
		return settings.Usagef("--limit has to be at least 1")
	}
	raws, commits, err := commitsOf(cmd, c, namespace, name, limit)
	if err != nil {
		return err
	}
	if len(commits) == 0 && name != "" {
		return fmt.Errorf("%w: no commit ever touched %s/%s; see what there is with: herald list %s", errNotFound, namespace, name, namespace)
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"revisions": raws})
	}
	table := newTable(cmd.OutOrStdout(), "REVISION", "AT", "AUTHOR", "CONFIGS", "MESSAGE")
	for _, commit := range commits {
		table.row(strconv.FormatInt(int64(commit.Revision), 10), stamp(commit.At), signedBy(commit), touched(commit), commit.Message)
	}
	return table.flush()
}

// commitsOf reads the history page by page until it has as many commits as are
// asked for.
func commitsOf(cmd *cobra.Command, c *client.Client, namespace, name config.Name, limit int) ([]json.RawMessage, []client.Commit, error) {
	raws, commits := []json.RawMessage{}, []client.Commit{}
	path := client.NamespacePath(namespace, "/revisions?limit="+strconv.Itoa(min(limit, 1000)))
	if name != "" {
		path += "&name=" + string(name)
	}
	for raw, err := range c.Each(cmd.Context(), path, "revisions") {
		if err != nil {
			return nil, nil, err
		}
		var commit client.Commit
		if err := json.Unmarshal(raw, &commit); err != nil {
			return nil, nil, fmt.Errorf("%s did not answer with commits: %w", c.Server(), err)
		}
		raws, commits = append(raws, raw), append(commits, commit)
		if len(commits) == limit {
			break
		}
	}
	return raws, commits, nil
}

// signedBy names who made a commit, and who approved it.
func signedBy(commit client.Commit) string {
	if commit.ApprovedBy == "" {
		return commit.Author
	}
	return commit.Author + ", " + commit.ApprovedBy
}

// touched lists a commit's configs, but not more than fit a line.
func touched(commit client.Commit) string {
	const most = 4
	var names []string
	for i, change := range commit.Changes {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(commit.Changes)-most))
			break
		}
		name := string(change.Name)
		switch change.Op {
		case "delete":
			name = "-" + name
		case "put_schema":
			name = "schema " + name
		case "delete_schema":
			name = "-schema " + name
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
