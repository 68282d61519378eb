package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

func TestWhyNotIsWhatStandsInTheWayNow(t *testing.T) {
	fleet := fleetOf("rejected", "behind", "behind", "current")
	fleet.Revision = 42
	held := map[string]*client.Rejection{"host-7": {Revision: 42, Code: "shrunk", Message: "half is gone"}}
	fleet.Workers[1].Agent, fleet.Workers[3].Agent = "host-7", "host-7"
	for i, want := range []string{"decode: no\nnumber", "held by its agent: shrunk: half is gone", "", ""} {
		if got := whyNot(fleet, fleet.Workers[i], held); got != want {
			t.Errorf("worker %d: %q", i, got)
		}
	}
	refusing := fleet.Workers[0]
	fleet.Revision = 41
	if got := whyNot(fleet, refusing, nil); got != "revision 42: decode: no\nnumber" {
		t.Errorf("of another revision: %q", got)
	}
	refusing.Running.Revision = 43
	if got := whyNot(fleet, refusing, nil); got != "" || runsOn(refusing) != "43" || runsOn(client.Worker{})+runsSince(client.Worker{}) != "" {
		t.Errorf("a worker that has gone on: %q", got)
	}
}

func TestSummaryIsWholeAndCountsAgentsThatRefuse(t *testing.T) {
	fleet := client.Fleet{Namespace: "demo", Revision: 42}
	s := &fleet.Summary
	s.Workers, s.Current, s.Behind, s.Rejected, s.Lost = 4, 2, 0, 1, 1
	want := "demo at revision 42: 2 of 3 live workers current [#############-------] 66 %; 0 behind, 1 rejected, 1 lost"
	if got := summaryLine(fleet); got != want {
		t.Errorf("%q", got)
	}
	fleet.Agents = []client.RefusingAgent{{ID: "a", Rejected: &client.Rejection{Revision: 42}}, {ID: "b", Rejected: &client.Rejection{Revision: 41}}}
	if got := summaryLine(fleet); got != want+", 1 agent refuses it" {
		t.Errorf("%q", got)
	}
	fleet.Agents[1].Rejected.Revision = 43
	if got := summaryLine(fleet); got != want+", 2 agents refuse it" {
		t.Errorf("%q", got)
	}
	if got := summaryLine(client.Fleet{}); !strings.Contains(got, "0 of 0 live workers current [--------------------] 0 %") {
		t.Errorf("nobody: %q", got)
	}
}

func viewOf(color colorMode) (*fleetView, *bytes.Buffer) {
	cmd, out := quietCommand(), &bytes.Buffer{}
	cmd.SetOut(out)
	return &fleetView{tool: &tool{output: text}, cmd: cmd, color: color}, out
}

// Taking the escapes away has to give the table without colors, whatever the IDs
// are made of.
func TestColorsMoveNoColumn(t *testing.T) {
	fleet := fleetOf("current", "lost", "behind", "rejected", "of-tomorrow")
	fleet.Workers[3].ID, fleet.Workers[1].ID = "wörker-漢", "a\x1b[31mb"
	var plainTable, painted bytes.Buffer
	f, _ := viewOf(colorAlways)
	if err := f.draw(&painted, fleet, 99); err != nil {
		t.Fatal(err)
	}
	f.color = colorNever
	if err := f.draw(&plainTable, fleet, 99); err != nil {
		t.Fatal(err)
	}
	for state, color := range stateColors {
		if strings.Count(painted.String(), color+state+"\x1b[0m") != 1 {
			t.Errorf("%s is not painted once: %q", state, painted.String())
		}
	}
	if bare := regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(painted.String(), ""); bare != plainTable.String() || strings.Contains(bare, "\x1b") {
		t.Errorf("%s\n%s", bare, plainTable.String())
	}
}

func TestColorIsForTerminalsAndForWhoAsks(t *testing.T) {
	for mode, want := range map[colorMode]bool{colorAuto: false, colorAlways: true, colorNever: false} {
		if mode.on(&bytes.Buffer{}) != want {
			t.Errorf("%s off a terminal: %v", mode, !want)
		}
	}
}

func TestAFleetOfTenThousandIsDrawnFast(t *testing.T) {
	fleet := fleetOf()
	for i := range 10_000 {
		agent := fmt.Sprintf("host-%d", i)
		fleet.Workers = append(fleet.Workers, client.Worker{ID: fmt.Sprintf("w-%d", i), Agent: agent, State: client.Behind})
		fleet.Agents = append(fleet.Agents, client.RefusingAgent{ID: agent, Rejected: &client.Rejection{Code: "shrunk"}})
	}
	f, _ := viewOf(colorAlways)
	var out bytes.Buffer
	begin := time.Now()
	if err := f.draw(&out, fleet, len(fleet.Workers)); err != nil || bytes.Count(out.Bytes(), []byte("\n")) != 10_002 {
		t.Errorf("%d lines, %v", bytes.Count(out.Bytes(), []byte("\n")), err)
	}
	t.Logf("drawn in %v", time.Since(begin))
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("drawn in %v", took)
	}
}

func pictureOf(fleet client.Fleet) picture {
	return picture{fleets: []client.Fleet{fleet}, named: true}
}

// The overview has a line for each namespace, in as many lines as a terminal has; what
// it does not show is no change of it.
func TestTheOverviewIsWatchedInPlaceAndBounded(t *testing.T) {
	f, out := viewOf(colorNever)
	overview := picture{}
	for i := range maxWatched + 3 {
		overview.fleets = append(overview.fleets, client.Fleet{Namespace: config.Name(fmt.Sprint("n-", i)), Revision: 1, Workers: fleetOf("behind").Workers})
	}
	screen := &fleetScreen{fleetView: f, terminal: true}
	for range 2 {
		if err := screen.show(overview); err != nil {
			t.Fatal(err)
		}
	}
	pages := strings.Split(out.String(), fmt.Sprintf("\x1b[%dA\r\x1b[J", maxWatched+2))
	if len(pages) != 2 || pages[0] != pages[1] || !strings.Contains(pages[0], "and 3 more\n") {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	screen = &fleetScreen{fleetView: f}
	for i := range 3 {
		overview.fleets[0].Workers = fleetOf([]string{"behind", "rejected", "rejected"}[i]).Workers
		overview.fleets[0].Summary.Rejected = i / 2
		if err := screen.show(overview); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(out.String(), "NAMESPACE"); n != 2 {
		t.Errorf("%d tables: %s", n, out.String())
	}
}

func TestScreenIsWrittenInPlaceAndBounded(t *testing.T) {
	f, out := viewOf(colorNever)
	screen := &fleetScreen{fleetView: f, terminal: true}
	states := make([]string, maxWatched+5)
	for i := range states {
		states[i] = "behind"
	}
	for range 2 {
		if err := screen.show(pictureOf(fleetOf(states...))); err != nil {
			t.Fatal(err)
		}
	}
	pages := strings.Split(out.String(), fmt.Sprintf("\x1b[%dA\r\x1b[J", maxWatched+3))
	if len(pages) != 2 || pages[0] != pages[1] || !strings.Contains(pages[0], "and 5 more\n\x1b[?7h") || !strings.HasPrefix(pages[0], "\x1b[?7lpayments at") {
		t.Errorf("%q", out.String())
	}
}

func TestOffATerminalOnlyChangesAreWritten(t *testing.T) {
	f, out := viewOf(colorAuto)
	screen := &fleetScreen{fleetView: f}
	for i, state := range []string{"behind", "behind", "current"} {
		fleet := fleetOf(state)
		fleet.Workers[0].LastSeen = time.Now().Add(time.Duration(i) * -time.Hour)
		if err := screen.show(pictureOf(fleet)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(out.String(), "payments at revision"); got != 2 || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%d tables: %s", got, out.String())
	}
}

// What a newer controller says besides stays in the body, and an agent that
// refuses is there without a worker.
func TestFiltersLeaveTheRestOfABody(t *testing.T) {
	server := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = httpapi.WriteJSON(w, http.StatusOK, json.RawMessage(`{"namespace":"payments","revision":42,"moon":"full","summary":{"workers":2},
"workers":[{"id":"w-1","agent":"a","mood":"good"},{"id":"w-2","agent":"b"}],"agents":[{"id":"c","rejected":{"revision":42}}]}`))
	})
	for args, want := range map[string]string{
		"--worker w-1":           `"workers":[{"id":"w-1","agent":"a","mood":"good"}]`,
		"--agent b":              `"workers":[{"id":"w-2","agent":"b"}]`,
		"--agent c":              `"workers":[]`,
		"--agent b --worker w-1": "no worker w-1 of agent b is known in payments",
		"--agent c --worker w-9": "no worker w-9 of agent c is known in payments",
	} {
		out, err := call(t, server, strings.Fields("fleet payments -o json "+args)...)
		if strings.HasPrefix(want, "no ") {
			if exitCode(err) != exitNotFound || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", args, err)
			}
			continue
		}
		if err != nil || !strings.Contains(out, want) || !strings.Contains(out, `"moon":"full"`) {
			t.Errorf("%s: %s %v", args, out, err)
		}
	}
}
