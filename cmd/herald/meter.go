package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/shared/config"
)

// barWidth is how wide a bar is, so that a line of progress stays one line.
const barWidth = 20

// A meter shows progress on standard error: on a terminal as one line that is
// written anew, elsewhere as a line for each change.
type meter struct {
	out      io.Writer
	terminal bool
	revision config.Revision
	shown    *progress
	open     bool // a line without an end stands on the terminal
}

func newMeter(cmd *cobra.Command, revision config.Revision) *meter {
	return &meter{out: cmd.ErrOrStderr(), terminal: isTerminal(cmd.ErrOrStderr()), revision: revision}
}

func (m *meter) show(now progress) {
	if m.shown != nil && *m.shown == now {
		return
	}
	m.shown = &now
	if !m.terminal {
		fmt.Fprintln(m.out, now.line(m.revision))
		return
	}
	fmt.Fprintf(m.out, "\r\x1b[K%s %s", bar(now.current, now.live), now.line(m.revision))
	m.open = true
}

// end leaves the line as it stands, so that the next one does not begin within it.
func (m *meter) end() {
	if m.open {
		fmt.Fprintln(m.out)
		m.open = false
	}
}

// bar draws a share; it is full only when nothing is missing.
func bar(part, whole int) string {
	filled := 0
	if whole > 0 {
		filled = part * barWidth / whole
	}
	return "[" + strings.Repeat("#", filled) + strings.Repeat("-", barWidth-filled) + "]"
}

// isTerminal reports whether people watch what is written there, on something that
// understands escapes.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	about, err := file.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}
