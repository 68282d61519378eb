package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/heraldconf/herald/shared/client"
)

var fleetHeads = []string{"WORKER", "AGENT", "STATE", "RUNS ON", "SINCE", "SEEN", "WHY NOT"}

// draw writes the summary and a line for each worker, at most so many of them:
// those who need attention first.
func (f *fleetView) draw(w io.Writer, fleet client.Fleet, most int) error {
	if _, err := fmt.Fprintln(w, summaryLine(fleet)); err != nil {
		return err
	}
	if len(fleet.Workers) == 0 {
		return nil
	}
	workers := slices.Clone(fleet.Workers)
	slices.SortStableFunc(workers, func(a, b client.Worker) int { return cmp.Compare(urgency(a.State), urgency(b.State)) })
	shown := workers[:min(most, len(workers))]
	holders := refusingAgents(fleet)
	var lines bytes.Buffer
	table := newTable(&lines, fleetHeads...)
	for _, worker := range shown {
		table.row(worker.ID, worker.Agent, worker.State, runsOn(worker), runsSince(worker), since(worker.LastSeen), whyNot(fleet, worker, holders))
	}
	if err := table.flush(); err != nil {
		return err
	}
	text := lines.String()
	if f.color.on(f.cmd.OutOrStdout()) {
		text = paintStates(text, shown)
	}
	if more := len(workers) - len(shown); more > 0 {
		text += fmt.Sprintf("and %d more\n", more)
	}
	_, err := io.WriteString(w, text)
	return err
}

// sumUp writes a line for each namespace, at most so many of them.
func sumUp(w io.Writer, fleets []client.Fleet, most int) error {
	table := newTable(w, "NAMESPACE", "REVISION", "WORKERS", "CURRENT", "BEHIND", "REJECTED", "LOST")
	for _, fleet := range fleets[:min(most, len(fleets))] {
		row := []string{string(fleet.Namespace), strconv.FormatInt(int64(fleet.Revision), 10)}
		s := fleet.Summary
		for _, n := range []int{s.Workers, s.Current, s.Behind, s.Rejected, s.Lost} {
			row = append(row, strconv.Itoa(n))
		}
		table.row(row...)
	}
	err := table.flush()
	if more := len(fleets) - most; err == nil && more > 0 {
		_, err = fmt.Fprintf(w, "and %d more\n", more)
	}
	return err
}

// summaryLine says how far the whole namespace has come.
func summaryLine(fleet client.Fleet) string {
	s := fleet.Summary
	live, percent := s.Workers-s.Lost, 0
	if live > 0 {
		percent = s.Current * 100 / live
	}
	line := fmt.Sprintf("%s at revision %d: %d of %d live workers current %s %d %%; %d behind, %d rejected, %d lost",
		fleet.Namespace, fleet.Revision, s.Current, live, bar(s.Current, live), percent, s.Behind, s.Rejected, s.Lost)
	switch agents := len(refusingAgents(fleet)); agents {
	case 0:
		return line
	case 1:
		return line + ", 1 agent refuses it"
	default:
		return line + fmt.Sprintf(", %d agents refuse it", agents)
	}
}

// refusingAgents are those that hold the revision back from their workers.
func refusingAgents(fleet client.Fleet) map[string]*client.Rejection {
	all := map[string]*client.Rejection{}
	for _, a := range fleet.Agents {
		if a.Rejected != nil && a.Rejected.Revision >= fleet.Revision {
			all[a.ID] = a.Rejected
		}
	}
	return all
}

// urgency puts who needs attention first.
func urgency(state string) int {
	return slices.Index([]string{client.Rejected, client.Behind, client.Lost, client.Current}, state)
}

func runsOn(w client.Worker) string {
	if w.Running == nil {
		return ""
	}
	return strconv.FormatInt(int64(w.Running.Revision), 10)
}

func runsSince(w client.Worker) string {
	if w.Running == nil {
		return ""
	}
	return since(w.Running.At)
}

// whyNot is what keeps a worker from the revision: its own refusal, unless it has
// gone beyond that since, or its agent's.
func whyNot(fleet client.Fleet, w client.Worker, holders map[string]*client.Rejection) string {
	if no := w.LastRejected; no != nil && (w.Running == nil || w.Running.Revision < no.Revision) {
		why := no.Code + ": " + no.Message
		if no.Revision != fleet.Revision {
			why = "revision " + strconv.FormatInt(int64(no.Revision), 10) + ": " + why
		}
		return why
	}
	if held := holders[w.Agent]; held != nil && w.State == client.Behind {
		return "held by its agent: " + held.Code + ": " + held.Message
	}
	return ""
}

// stateColors are escapes of ECMA-48 that every terminal knows.
var stateColors = map[string]string{
	client.Rejected: "\x1b[31m", client.Behind: "\x1b[33m", client.Lost: "\x1b[35m", client.Current: "\x1b[32m",
}

// paintStates colors the states in a table that is aligned already, so that no
// escape counts as a column's width.
func paintStates(table string, workers []client.Worker) string {
	head, rows, _ := strings.Cut(table, "\n")
	column := strings.Index(head, "STATE")
	var painted strings.Builder
	painted.WriteString(head + "\n")
	i := 0
	for line := range strings.Lines(rows) {
		state, runes := workers[i].State, []rune(line)
		color := stateColors[state]
		i++
		if color == "" {
			painted.WriteString(line)
			continue
		}
		after := column + len(state)
		painted.WriteString(string(runes[:column]) + color + state + "\x1b[0m" + string(runes[after:]))
	}
	return painted.String()
}
