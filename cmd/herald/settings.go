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
)

// showSettings shows a namespace's settings.
func (t *tool) showSettings(cmd *cobra.Command, c *client.Client, arg string) error {
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	now, answer, err := settingsOf(cmd, c, namespace)
	switch {
	case err != nil:
		return err
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), answer)
	}
	return writeSettings(cmd, settingRows(now))
}

func settingsOf(cmd *cobra.Command, c *client.Client, namespace config.Name) (s client.Settings, answer json.RawMessage, err error) {
	answer, err = c.Get(cmd.Context(), client.NamespacePath(namespace, ""), &s)
	if err == nil && s.Namespace != namespace {
		err = errStranger
	}
	return s, answer, err
}

// amend changes a namespace's settings and shows them; where it is only tried it
// shows what would change.
func (t *tool) amend(cmd *cobra.Command, c *client.Client, arg string, asked client.SettingsPatch) error {
	dry := tried(cmd)
	namespace, err := parseNamespace(arg)
	if err != nil {
		return err
	}
	var now, next client.Settings
	if dry {
		if now, _, err = settingsOf(cmd, c, namespace); err != nil {
			return err
		}
	}
	answer, err := c.Send(cmd.Context(), http.MethodPatch, maybe(dry, client.NamespacePath(namespace, "")), asked, &next)
	switch {
	case err != nil:
		return err
	case next.Namespace != namespace || next.DryRun != dry:
		return errStranger
	case t.output == asJSON:
		return writeJSON(cmd.OutOrStdout(), answer)
	case dry:
		return writeSettingsChange(cmd, settingRows(now), settingRows(next))
	}
	return writeSettings(cmd, settingRows(next))
}

func writeSettings(cmd *cobra.Command, rows [][2]string) error {
	table := newTable(cmd.OutOrStdout())
	for _, row := range rows {
		table.row(row[0], row[1])
	}
	return table.flush()
}

// writeSettingsChange shows what is different between settings that stand and those
// that would.
func writeSettingsChange(cmd *cobra.Command, now, next [][2]string) error {
	table, changed := newTable(cmd.OutOrStdout(), "SETTING", "NOW", "WOULD BE"), false
	for i, row := range next {
		if row != now[i] {
			table.row(row[0], now[i][1], row[1])
			changed = true
		}
	}
	if !changed {
		say(cmd, "dry run: nothing would change")
		return nil
	}
	say(cmd, "dry run: nothing is set yet")
	return table.flush()
}

// settingRows are the settings in words, always the same ones in the same order.
func settingRows(s client.Settings) [][2]string {
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
	protected := "no"
	if s.Protected {
		protected = "changes wait for an approval"
	}
	return [][2]string{
		{"namespace", string(s.Namespace)},
		{"frozen", frozen},
		{"protected", protected},
		{"emptied documents", emptied},
		{"mass changes", "held from " + count(s.Guards.Configs, "config") + " on"},
		{"  may delete", strconv.Itoa(s.Guards.DeletedPercent) + " % of the configs"},
		{"  must leave", fmt.Sprintf("%d %% of their bytes", s.Guards.KeptPercent)},
		{"history kept", retained(s.Retention)},
	}
}
