package main

import (
	"bytes"
	"fmt"
	"time"
)

// maxWatched is how many workers are drawn in place: they, the summary and the
// heads fit on a terminal of 24 lines, above which no cursor can go.
const maxWatched = 20

// A fleetScreen shows a fleet again and again: on a terminal in place, elsewhere
// anew for each change.
type fleetScreen struct {
	*fleetView
	terminal bool
	lines    int    // that stand there and are to be written over
	shown    string // what stands there, but for its ages
}

// follow shows the fleet, and what becomes of it, until it is interrupted.
func (f *fleetView) follow(p picture, see look) error {
	screen := &fleetScreen{fleetView: f, terminal: f.output == text && isTerminal(f.cmd.OutOrStdout())}
	if err := screen.follow(p, see); f.cmd.Context().Err() == nil {
		return err
	}
	return nil // interrupted, which is how a watch ends
}

// follow returns the error that no waiting mends, or that of the command's context.
func (s *fleetScreen) follow(p picture, see look) error {
	pauses := &watcher{tool: s.tool, cmd: s.cmd, client: s.client}
	ctx := s.cmd.Context()
	for asked, err := time.Now(), error(nil); ; {
		if err == nil {
			if err := s.show(p); err != nil {
				return err
			}
		}
		if err != nil && !passing(err) {
			return err
		}
		if err != nil {
			s.lines = 0 // what is said now stands below
		}
		rest(ctx, pauses.pause(err, time.Since(asked) >= maxHold))
		asked = time.Now()
		if p, err = see(ctx, maxHold); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (s *fleetScreen) show(p picture) error {
	state, err := s.state(p)
	if err != nil {
		return err
	}
	changed := state != s.shown
	s.shown = state
	switch {
	case s.terminal:
		return s.redraw(p)
	case changed:
		return s.print(p)
	}
	return nil
}

// redraw writes over what stands there. A line that is too wide is cut and not
// folded, since it would be two lines otherwise.
func (s *fleetScreen) redraw(p picture) error {
	var page bytes.Buffer
	if s.lines > 0 {
		fmt.Fprintf(&page, "\x1b[%dA\r\x1b[J", s.lines)
	}
	page.WriteString("\x1b[?7l")
	if err := s.render(&page, p, maxWatched/max(1, s.tables(p))); err != nil {
		return err
	}
	s.lines = bytes.Count(page.Bytes(), []byte("\n"))
	page.WriteString("\x1b[?7h")
	return written(s.cmd.OutOrStdout().Write(page.Bytes()))
}
