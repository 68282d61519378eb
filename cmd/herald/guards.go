package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) guards() *cobra.Command {
	asked := client.SettingsPatch{Guards: &client.GuardsPatch{}}
	empty, configs, deleted, kept := true, 0, 0, 0
	cmd := &cobra.Command{
		Use:   "guards NAMESPACE",
		Short: "Show or set what holds changes that nobody can mean",
		Long: `Shows what a commit to a namespace is held to unless it is forced, and whether the
namespace is frozen; with flags, sets it.

A commit that empties a document is held, and so is one that deletes more than half
of the configs, or leaves less than half of their bytes, where there are four or more.`,
		Example: `  herald guards payments
  herald guards payments --deleted 20 --kept 80
  herald guards payments --empty=false`,
		Args: arguments(1, 1, "herald guards payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			set(cmd, "empty", &asked.Guards.Empty, empty)
			set(cmd, "configs", &asked.Guards.Configs, configs)
			set(cmd, "deleted", &asked.Guards.DeletedPercent, deleted)
			set(cmd, "kept", &asked.Guards.KeptPercent, kept)
			if *asked.Guards == (client.GuardsPatch{}) {
				return t.settings(cmd, c, args[0], http.MethodGet, nil)
			}
			return t.settings(cmd, c, args[0], http.MethodPatch, asked)
		}),
		ValidArgsFunction: t.completeNamespace,
	}
	flags := cmd.Flags()
	flags.BoolVar(&empty, "empty", true, "hold a commit that empties a document")
	flags.IntVar(&configs, "configs", 4, "from how many configs on a commit can be a mass change")
	flags.IntVar(&deleted, "deleted", 50, "how many per cent of the configs a commit may delete")
	flags.IntVar(&kept, "kept", 50, "how many per cent of their bytes a commit has to leave")
	return cmd
}

// set names what a flag sets, if it was given.
func set[T any](cmd *cobra.Command, flag string, into **T, value T) {
	if cmd.Flags().Changed(flag) {
		*into = &value
	}
}

func (t *tool) freeze() *cobra.Command {
	reason, period, until := "", time.Duration(0), ""
	cmd := &cobra.Command{
		Use:   "freeze NAMESPACE --for DURATION | freeze NAMESPACE --until TIME",
		Short: "Take no commits to a namespace for a time",
		Long: `Freezes a namespace: until the time that is named nobody writes to it, with --force
or without, but who has a token with the role admin. Workers run on as they do.`,
		Example: `  herald freeze payments --for 48h -m "the sale"
  herald freeze payments --until 2030-01-31T18:00:00Z
  herald thaw payments`,
		Args: arguments(1, 1, "herald freeze payments --for 48h"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			end, err := freezeEnd(period, until)
			if err != nil {
				return err
			}
			return t.settings(cmd, c, args[0], http.MethodPatch, client.SettingsPatch{FrozenUntil: end, Reason: reason})
		}),
		ValidArgsFunction: t.completeNamespace,
	}
	flags := cmd.Flags()
	flags.DurationVar(&period, "for", 0, "how long, as in 48h")
	flags.StringVar(&until, "until", "", "until when, as in 2030-01-31T18:00:00Z")
	flags.StringVarP(&reason, "message", "m", "", "why: who is refused is told")
	return cmd
}

// freezeEnd is when a freeze ends, as JSON.
func freezeEnd(period time.Duration, until string) (json.RawMessage, error) {
	var end time.Time
	switch {
	case (period == 0) == (until == ""):
		return nil, settings.Usagef("say how long with --for, or until when with --until")
	case period < 0:
		return nil, settings.Usagef("--for has to be more than 0s")
	case period > 0:
		end = time.Now().Add(period).UTC().Truncate(time.Second)
	default:
		var err error
		if end, err = time.Parse(time.RFC3339, until); err != nil {
			return nil, settings.Usagef("--until: %q is no time; write it as in 2030-01-31T18:00:00Z", until)
		}
	}
	return json.Marshal(end)
}

func (t *tool) thaw() *cobra.Command {
	return &cobra.Command{
		Use:   "thaw NAMESPACE",
		Short: "End the freeze of a namespace",
		Long: `Ends the freeze of a namespace before its time: commits are taken again at once.
Where the controller has tokens, that takes one with the role admin.`,
		Example: `  herald thaw payments`,
		Args:    arguments(1, 1, "herald thaw payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.settings(cmd, c, args[0], http.MethodPatch, client.SettingsPatch{FrozenUntil: json.RawMessage("null")})
		}),
		ValidArgsFunction: t.completeNamespace,
	}
}

// settings asks for a namespace's settings, or changes them, and shows them.
func (t *tool) settings(cmd *cobra.Command, c *client.Client, arg, method string, asked any) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	var s client.Settings
	var answer json.RawMessage
	if path := client.NamespacePath(namespace, ""); method == http.MethodGet {
		answer, err = c.Get(cmd.Context(), path, &s)
	} else {
		answer, err = c.Send(cmd.Context(), method, path, asked, &s)
	}
	switch {
	case err != nil:
		return err
	case s.Namespace != namespace:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), answer)
	}
	return writeSettings(cmd, namespace, s)
}

func writeSettings(cmd *cobra.Command, namespace config.Name, s client.Settings) error {
	emptied := "taken"
	if s.Guards.Empty {
		emptied = "held"
	}
	frozen := "no"
	if s.FrozenUntil.After(time.Now()) {
		frozen = "until " + stamp(s.FrozenUntil)
		if s.Reason != "" {
			frozen += ": " + s.Reason
		}
	}
	table := newTable(cmd.OutOrStdout())
	table.row("namespace", string(namespace))
	table.row("frozen", frozen)
	table.row("emptied documents", emptied)
	table.row("mass changes", "held from "+count(s.Guards.Configs, "config")+" on")
	table.row("  may delete", strconv.Itoa(s.Guards.DeletedPercent)+" % of the configs")
	table.row("  must leave", fmt.Sprintf("%d %% of their bytes", s.Guards.KeptPercent))
	return table.flush()
}
