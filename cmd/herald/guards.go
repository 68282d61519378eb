package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/settings"
)

func (t *tool) guards() *cobra.Command {
	asked := client.SettingsPatch{Guards: &client.GuardsPatch{}}
	var fill []func(*cobra.Command)
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
			for _, read := range fill {
				read(cmd)
			}
			if *asked.Guards == (client.GuardsPatch{}) {
				return t.showSettings(cmd, c, args[0])
			}
			return t.amend(cmd, c, args[0], asked)
		}),
		ValidArgsFunction: t.completeNamespace,
	}
	fill = guardFlags(cmd, "", asked.Guards)
	return triable(cmd)
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
			return t.amend(cmd, c, args[0], client.SettingsPatch{FrozenUntil: end, Reason: reason})
		}),
		ValidArgsFunction: t.completeNamespace,
	}
	flags := cmd.Flags()
	flags.DurationVar(&period, "for", 0, "how long, as in 48h")
	flags.StringVar(&until, "until", "", "until when, as in 2030-01-31T18:00:00Z")
	flags.StringVarP(&reason, "message", "m", "", "why: who is refused is told")
	return triable(cmd)
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
	return triable(&cobra.Command{
		Use:   "thaw NAMESPACE",
		Short: "End the freeze of a namespace",
		Long: `Ends the freeze of a namespace before its time: commits are taken again at once.
Where the controller has tokens, that takes one with the role admin.`,
		Example: `  herald thaw payments`,
		Args:    arguments(1, 1, "herald thaw payments"),
		RunE: t.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return t.amend(cmd, c, args[0], client.SettingsPatch{FrozenUntil: json.RawMessage("null")})
		}),
		ValidArgsFunction: t.completeNamespace,
	})
}
