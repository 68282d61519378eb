package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// A format is how results are written.
type format string

const (
	text   format = "text"
	asJSON format = "json"
)

// Set takes text or json.
func (f *format) Set(value string) error {
	if value != string(text) && value != string(asJSON) {
		return fmt.Errorf("use %s or %s", text, asJSON)
	}
	*f = format(value)
	return nil
}

// String returns the format's name.
func (f *format) String() string { return string(*f) }

// Type names what the flag takes.
func (f *format) Type() string { return "text|json" }

// say tells people, on standard error, what no script wants.
func say(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}

// writeLine writes a result of one line.
func writeLine(cmd *cobra.Command, format string, args ...any) error {
	return written(fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...))
}

// written is the error of a write to standard output.
func written(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// writeJSON writes a value as one line of JSON. What the server said as JSON
// already stays as it was.
func writeJSON(w io.Writer, value any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	return written(w.Write(line.Bytes()))
}

// A table is written with its columns aligned.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, heads ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	if len(heads) > 0 {
		t.row(heads...)
	}
	return t
}

func (t table) row(cells ...string) {
	for i, cell := range cells {
		if cell = plain(cell); cell == "" {
			cell = "-"
		}
		cells[i] = cell
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t")) // Flush has the error
}

func (t table) flush() error { return written(0, t.w.Flush()) }

// plain makes of foreign text one line that does nothing to a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, s)
}

// stamp writes a time for people; the zero time is none.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// since writes how long ago a time was, in whole seconds.
func since(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return time.Since(at).Truncate(time.Second).String() + " ago"
}
