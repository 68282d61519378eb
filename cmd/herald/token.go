package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

// roles are what a token can be for.
var roles = []string{"admin", "publisher", "agent", "reader"}

func (t *tool) tokens() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens that open the controller",
		Long: `A token opens what its role may do, in the namespaces that it names:

  admin      everything
  publisher  read and write configs and schemas; read history and the fleet
  agent      pull, register, report
  reader     pull, read history and the fleet

The first token has to be an admin's: from then on nobody comes in without one.`,
		Example: "  herald token list",
	}, t.tokenCreate(), t.tokenList(), t.tokenRevoke())
}

// A tokenAsked is what token create is told.
type tokenAsked struct {
	role       string
	namespaces []string
	expires    time.Duration
}

func (t *tool) tokenCreate() *cobra.Command {
	asked := &tokenAsked{}
	cmd := &cobra.Command{
		Use:   "create NAME --role ROLE",
		Short: "Make a token; it is printed this once",
		Long: `Makes a token and prints it, this once: the controller keeps no more than its digest.
NAME is the author of what is committed with it. To rotate one make another of the
same name, hand it out, and revoke the first.

An agent's token that is named as the agent is (--id) is the only one of the role
agent that speaks for it.`,
		Example: `  herald token create alice@example.com --role publisher --namespaces payments,'team-*'
  herald token create host-7 --role agent > agent.token
  herald token create ci --role publisher --namespaces payments --expires 720h -o json`,
		Args: arguments(1, 1, "herald token create alice --role publisher"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runTokenCreate(cmd, c, args[0], asked)
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&asked.role, "role", "", "what it is for: admin, publisher, agent or reader (needed)")
	flags.StringSliceVar(&asked.namespaces, "namespaces", nil, "what it opens: names, or beginnings as in 'team-*' (default all)")
	flags.DurationVar(&asked.expires, "expires", 0, "how long it counts (default until it is revoked)")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roles, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return triable(cmd)
}

func (t *tool) runTokenCreate(cmd *cobra.Command, c *client.Client, name string, asked *tokenAsked) error {
	switch {
	case !slices.Contains(roles, asked.role):
		return settings.Usagef("--role: say what the token is for: %s", strings.Join(roles, ", "))
	case asked.expires < 0:
		return settings.Usagef("--expires has to be more than 0s")
	}
	body := map[string]any{"name": name, "role": asked.role}
	if len(asked.namespaces) > 0 {
		body["namespaces"] = asked.namespaces
	}
	if asked.expires > 0 {
		body["expires_at"] = time.Now().Add(asked.expires).UTC().Truncate(time.Second)
	}
	dry := tried(cmd)
	var made client.Token
	raw, err := c.Send(cmd.Context(), http.MethodPost, maybe(dry, "/v1/tokens"), body, &made)
	switch {
	case err != nil:
		return err
	case (made.Token == "") != dry:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), raw)
	case dry:
		return writeLine(cmd, "dry run: a token of %s would be made, role %s, for %s", plain(made.Name), made.Role, strings.Join(made.Namespaces, ","))
	}
	say(cmd, "token %s of %s, role %s; it is not shown again:", made.ID, plain(made.Name), made.Role)
	return writeLine(cmd, "%s", made.Token)
}

func (t *tool) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tokens, without themselves",
		Long: `Lists who has a token: its role, what it opens, when it was used last, and whether
it still counts. What was revoked or has expired stays in the list.`,
		Example: `  herald token list
  herald token list -o json | jq -r '.tokens[] | select(.last_used_at == null).name'`,
		Args: arguments(0, 0, "herald token list"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error { return t.runTokenList(cmd, c) }),
	}
}

func (t *tool) runTokenList(cmd *cobra.Command, c *client.Client) error {
	raws, tokens, err := list[client.Token](cmd, c, "/v1/tokens", "tokens")
	if err != nil {
		return err
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"tokens": raws})
	}
	if len(tokens) == 0 {
		say(cmd, "no token was made yet")
		return nil
	}
	table := newTable(cmd.OutOrStdout(), "ID", "NAME", "ROLE", "NAMESPACES", "USED", "STATE")
	for _, token := range tokens {
		used := ""
		if token.LastUsedAt != nil {
			used = since(*token.LastUsedAt)
		}
		table.row(token.ID, token.Name, token.Role, strings.Join(token.Namespaces, ","), used, tokenState(token, time.Now()))
	}
	return table.flush()
}

// tokenState says in words whether a token counts.
func tokenState(token client.Token, now time.Time) string {
	switch {
	case token.RevokedAt != nil:
		return "revoked " + stamp(*token.RevokedAt)
	case token.ExpiresAt == nil:
		return "counts"
	case !now.Before(*token.ExpiresAt):
		return "expired " + stamp(*token.ExpiresAt)
	}
	return "counts until " + stamp(*token.ExpiresAt)
}

func (t *tool) tokenRevoke() *cobra.Command {
	return triable(&cobra.Command{
		Use:   "revoke ID",
		Short: "End a token, at once",
		Long: `Ends a token: from then on it opens nothing, and what is held for it is answered with
401. It stays in the list. Which tokens there are: herald token list`,
		Example: "  herald token revoke k3xq7a2mzt",
		Args:    arguments(1, 1, "herald token revoke k3xq7a2mzt"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.runTokenRevoke(cmd, c, args[0])
		}),
		ValidArgsFunction: t.completeToken,
	})
}

func (t *tool) runTokenRevoke(cmd *cobra.Command, c *client.Client, id string) error {
	dry := tried(cmd)
	if strings.HasPrefix(id, "herald_") {
		return settings.Usagef("that is a token, not its ID; see the IDs with: herald token list")
	}
	var ended client.Token
	raw, err := c.Send(cmd.Context(), http.MethodDelete, maybe(dry, "/v1/tokens/"+url.PathEscape(id)), nil, &ended)
	if err != nil {
		return err
	}
	if ended.ID != id || ended.RevokedAt == nil || ended.DryRun != dry {
		return errStranger
	}
	if t.output == asJSON {
		return writeJSON(cmd.OutOrStdout(), raw)
	}
	if dry {
		return writeLine(cmd, "dry run: %s of %s would be revoked", id, plain(ended.Name))
	}
	return writeLine(cmd, "%s of %s is revoked", id, plain(ended.Name))
}

// completeToken proposes the tokens' IDs as the only argument.
func (t *tool) completeToken(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := t.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	cmd.SetContext(ctx)
	_, tokens, _ := list[client.Token](cmd, c, "/v1/tokens", "tokens") // a shell is no place for errors
	var proposals []string
	for _, token := range tokens {
		if token.RevokedAt == nil {
			proposals = append(proposals, token.ID+"\t"+plain(token.Name))
		}
	}
	return proposals, cobra.ShellCompDirectiveNoFileComp
}
