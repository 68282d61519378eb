package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// runsAgent is set in a process that a test starts as an agent to be killed: the
// addresses and folders it runs on.
const runsAgent = "AGENT_TEST_RUN"

// agentAgain runs an agent as a process of its own, for ever.
func agentAgain(said string) int {
	parts := strings.Split(said, "\n")
	err := agent.Run(context.Background(), agent.Config{
		Listen: "127.0.0.1:0", Upstream: parts[:1], CacheDir: parts[1], ID: "host-7", Templates: parts[2], TemplateRoots: parts[3:],
	}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// A host is a folder with what an agent makes in it.
type host struct {
	*controller
	dir, file, cache string
}

const worker = "host-7:"

// newHost has a file app.conf made of web/conf, checked by a script and followed by
// one. Both may use $HERALD_FILE and $DIR.
func newHost(t *testing.T, check, then string) *host {
	t.Helper()
	h := &host{controller: newController(t), dir: t.TempDir(), cache: t.TempDir()}
	h.file = filepath.Join(h.dir, "app.conf")
	write(t, h.dir, "check.sh", "DIR="+h.dir+"\nexec 2>&1\n"+check)
	write(t, h.dir, "then.sh", "DIR="+h.dir+"\nexec 2>&1\n"+then)
	write(t, h.dir, "files.yaml", fmt.Sprintf(`
files:
  - {to: %s, from: web/conf, mode: "0600", check: [sh, check.sh, "{}"], then: [sh, then.sh]}
`, h.file))
	return h
}

func (h *host) say(revision config.Revision, text string) {
	h.keep("web", revision, "conf", config.Document{MediaType: "text/plain", Body: []byte(text)})
}

func (h *host) run(t *testing.T) (address string, stop func()) {
	t.Helper()
	return run(t, agent.Config{Upstream: []string{h.URL}, CacheDir: h.cache, PollInterval: time.Second, Templates: filepath.Join(h.dir, "files.yaml"), TemplateRoots: []string{h.dir}})
}

// killed runs an agent as a process until something kills it.
func (h *host) killed(t *testing.T, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runsAgent+"="+strings.Join([]string{h.URL, h.cache, filepath.Join(h.dir, "files.yaml"), h.dir}, "\n"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the agent was not killed but ended with %v", err)
	}
}

// log is what the scripts wrote into DIR/log.
func (h *host) log(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(h.dir, "log"))
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(content)), " ")
}

func (h *host) verdict(t *testing.T, revision config.Revision) string {
	t.Helper()
	v := h.await(t, worker+h.file, "web", revision)
	if v.Agent != "host-7" || v.TookMS < 0 || v.At.IsZero() {
		t.Errorf("%+v", v)
	}
	return strings.TrimSpace(string(v.Status) + " " + v.Code + " " + v.Message)
}

const (
	logsCheck = `echo "check:$(cat $1)" >> $DIR/log; `
	logsThen  = `echo "then:$(cat $HERALD_FILE 2>/dev/null)" >> $DIR/log; `
	killsOnce = `if [ ! -e $DIR/killed ]; then touch $DIR/killed; kill -9 $PPID; sleep 1; fi; `
)

func TestTheLifeOfAChange(t *testing.T) {
	h := newHost(t, logsCheck+`if grep -q bad $1; then echo "it is bad"; exit 1; fi`,
		logsThen+`if grep -q worse $HERALD_FILE; then echo "cannot take it"; exit 7; fi`)
	h.say(1, "one")
	address, stop := h.run(t)
	for _, step := range []struct {
		revision   config.Revision
		text, file string
		verdict    string
		log        string
	}{
		{1, "one", "one", "applied", "check:one then:one"},
		{2, "one", "one", "applied", ""}, // the same bytes: nothing is done
		{3, "bad", "one", "rejected check_failed sh exited with 1 | it is bad", "check:bad"},
		{4, "two", "two", "applied", "check:two then:two"},
		{5, "worse", "two", "rejected then_failed sh exited with 7 | cannot take it", "check:worse then:worse then:two"},
		{6, "two", "two", "applied", ""}, // it runs on that already
	} {
		before := h.log(t)
		h.say(step.revision, step.text)
		if got := h.verdict(t, step.revision); got != step.verdict {
			t.Errorf("revision %d: %s; want %s", step.revision, got, step.verdict)
		}
		if got := read(t, h.file); got != step.file {
			t.Errorf("after revision %d the file is %q", step.revision, got)
		}
		if got := strings.TrimSpace(strings.TrimPrefix(h.log(t), before)); got != step.log {
			t.Errorf("revision %d ran %q, want %q", step.revision, got, step.log)
		}
	}
	if info, err := os.Stat(h.file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	_, status := get(t, address+"/v1/status")
	if !strings.Contains(status, `"files":[{"path":"`+h.file+`","state":"applied","running":{"web":{"epoch":"01A","revision":6}}`) {
		t.Error(status)
	}
	stop()
	before := h.log(t)
	_, stop = h.run(t) // nothing is run needlessly after a restart
	if got := h.verdict(t, 6); got != "applied" || h.log(t) != before {
		t.Errorf("%s; ran %s after %s", got, h.log(t), before)
	}
	stop()
	entries, _ := os.ReadDir(h.dir)
	if len(entries) != 5 {
		t.Errorf("left behind: %v", entries)
	}
}

// A rejection is repeated as a sign of life, and its revision is not tried again
// until the agent restarts.
func TestRejectionsStick(t *testing.T) {
	h := newHost(t, logsCheck+"exit 1", logsThen)
	h.say(1, "bad")
	address, stop := h.run(t)
	for range 3 { // the poll interval is a second
		if got := h.verdict(t, 1); got != "rejected check_failed sh exited with 1" {
			t.Fatal(got)
		}
	}
	if got := h.log(t); got != "check:bad" {
		t.Errorf("ran %q", got)
	}
	if _, err := os.Stat(h.file); err == nil {
		t.Error("the file is there")
	}
	_, status := get(t, address+"/v1/status")
	_, metrics := get(t, address+"/metrics")
	if !strings.Contains(status, `"state":"rejected","tried":{"web":{"epoch":"01A","revision":1}}`) || !strings.Contains(status, `"code":"check_failed"`) ||
		!strings.Contains(metrics, "agent_files_rejected 1") {
		t.Error(status, metrics)
	}
	stop()
	h.run(t)
	h.verdict(t, 1)
	for h.log(t) != "check:bad check:bad" {
		h.verdict(t, 1)
	}
}

// An agent that stops says goodbye for its files.
func TestGoodbyeOfAFile(t *testing.T) {
	h := newHost(t, "", "")
	h.say(1, "one")
	_, stop := h.run(t)
	h.verdict(t, 1)
	stop()
	for {
		select {
		case reports := <-h.reports:
			for _, s := range reports.Stopped {
				if s.Worker == worker+h.file && s.Agent == "host-7" && s.Namespace == "web" {
					return
				}
			}
		default:
			t.Fatal("nothing was said")
		}
	}
}

// Two namespaces in one file: a verdict in each, and a rejection of what made the
// difference alone.
func TestAFileOfTwoNamespaces(t *testing.T) {
	h := newHost(t, "if grep -q bad $1; then echo bad; exit 1; fi", "")
	write(t, h.dir, "app.tmpl", `{{ config "web/conf" }}+{{ (config "more/limits").rps }}`)
	write(t, h.dir, "files.yaml", fmt.Sprintf(`files: [{to: %s, template: app.tmpl, check: [sh, check.sh, "{}"]}]`, h.file))
	h.say(1, "one")
	h.put("more", 7, `{"rps":50}`)
	h.run(t)
	if v := h.await(t, worker+h.file, "more", 7); v.Status != config.Applied || read(t, h.file) != "one+50" {
		t.Errorf("%+v", v)
	}
	h.say(2, "bad")
	if got := h.verdict(t, 2); got != "rejected check_failed sh exited with 1 | bad" {
		t.Error(got)
	}
	if v := h.await(t, worker+h.file, "more", 7); v.Status != config.Applied {
		t.Errorf("what it runs on is rejected too: %+v", v)
	}
	h.put("more", 8, `{"rpm":50}`)
	if v := h.await(t, worker+h.file, "more", 8); v.Status != config.Rejected || v.Code != "render" || !strings.Contains(v.Message, "rps") {
		t.Errorf("%+v", v)
	}
	h.put("more", 9, `{"rps":9}`)
	h.say(3, "three")
	for h.await(t, worker+h.file, "more", 9).Status != config.Applied {
		continue
	}
	if got := read(t, h.file); got != "three+9" {
		t.Error(got)
	}
}

// An agent does not start on files that it would have to guess at.
func TestFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	good := write(t, dir, "good.yaml", "files: [{to: "+dir+"/a, from: web/a}]")
	wrong := write(t, dir, "wrong.yaml", "files:\n  - to: "+dir+"/a\n    form: web/a")
	for _, c := range []struct {
		templates string
		roots     []string
		words     string
	}{
		{wrong, []string{dir}, "--templates: " + wrong + ": line 3: files[0].form: unknown"},
		{good, nil, "--template-roots: --templates needs it"},
		{good, []string{"made"}, "--template-roots: \"made\": write absolute paths"},
		{good, []string{dir + "/nowhere"}, "--template-roots: stat "},
		{good, []string{good}, "is no folder"},
		{good, []string{dir + "/../other"}, "--template-roots"},
		{"", []string{dir}, "there is no --templates"},
	} {
		err := agent.Run(t.Context(), agent.Config{
			Listen: "127.0.0.1:0", Upstream: []string{"http://127.0.0.1:1"}, CacheDir: t.TempDir(), ID: "host-7", Templates: c.templates, TemplateRoots: c.roots,
		}, slog.New(slog.DiscardHandler))
		if !errors.Is(err, settings.ErrUsage) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%v; want %q", err, c.words)
		}
	}
}

// The first version of all that then refuses leaves no file, as there was none.
func TestThenRefusesTheFirst(t *testing.T) {
	h := newHost(t, "", logsThen+"exit 3")
	h.say(1, "one")
	h.run(t)
	if got := h.verdict(t, 1); got != "rejected then_failed sh exited with 3 | and with the former file: sh exited with 3" {
		t.Error(got)
	}
	if _, err := os.Stat(h.file); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
	if got := h.log(t); got != "then:one then:" {
		t.Error(got)
	}
}

// The agent is killed while the check runs: the old file stays, and the next start
// makes up for it.
func TestKilledDuringTheCheck(t *testing.T) {
	h := newHost(t, killsOnce+logsCheck, logsThen)
	write(t, h.dir, "app.conf", "old")
	h.say(1, "new")
	h.killed(t, time.Minute)
	if got := read(t, h.file); got != "old" {
		t.Errorf("killed during the check the file is %q", got)
	}
	h.run(t)
	if got := h.verdict(t, 1); got != "applied" || read(t, h.file) != "new" || !strings.HasSuffix(h.log(t), "check:new then:new") {
		t.Errorf("%s, %s", got, h.log(t))
	}
}

// The agent is killed between the replacement and the end of what follows it: that
// runs again, though the file is as it should be.
func TestKilledBeforeThenEnds(t *testing.T) {
	h := newHost(t, logsCheck, killsOnce+logsThen)
	h.say(1, "new")
	h.killed(t, time.Minute)
	if got := read(t, h.file); got != "new" {
		t.Errorf("killed after the replacement the file is %q", got)
	}
	_, stop := h.run(t)
	if got := h.verdict(t, 1); got != "applied" || strings.Count(h.log(t), "check:new") != 1 || !strings.HasSuffix(h.log(t), "then:new") {
		t.Errorf("%s, %s", got, h.log(t))
	}
	stop()
	before := h.log(t)
	h.run(t)
	if h.verdict(t, 1); h.log(t) != before {
		t.Errorf("ran again: %s", h.log(t))
	}
}

// What was there before a replacement that killed the agent is known to the next
// one, and comes back.
func TestKilledAndThenRefused(t *testing.T) {
	h := newHost(t, "", killsOnce+`grep -q old $HERALD_FILE && echo restored >> $DIR/log`)
	write(t, h.dir, "app.conf", "old")
	h.say(1, "new")
	h.killed(t, time.Minute)
	h.run(t)
	if got := h.verdict(t, 1); !strings.HasPrefix(got, "rejected then_failed") || read(t, h.file) != "old" || !strings.HasSuffix(h.log(t), "restored") {
		t.Errorf("%s, %s, %s", got, read(t, h.file), h.log(t))
	}
}

// Killed at any time, the file is one whole version, and in the end what follows
// has seen the newest.
func TestKilledAtAnyTime(t *testing.T) {
	h := newHost(t, "", `cat $HERALD_FILE > $DIR/seen`)
	text := func(r config.Revision) string { return strings.Repeat(fmt.Sprintf("revision %d\n", r), 5000) }
	revision := config.Revision(0)
	for range 12 {
		revision++
		h.say(revision, text(revision))
		h.killed(t, time.Duration(20+rand.IntN(150))*time.Millisecond)
		content, err := os.ReadFile(h.file)
		var stands config.Revision
		if err == nil {
			if _, err := fmt.Sscanf(string(content), "revision %d\n", &stands); err != nil || stands > revision || string(content) != text(stands) {
				t.Fatalf("torn: %d bytes of revision %d", len(content), stands)
			}
		}
	}
	h.run(t)
	if got := h.verdict(t, revision); got != "applied" || read(t, h.file) != text(revision) || read(t, filepath.Join(h.dir, "seen")) != text(revision) {
		t.Errorf("%s; the file and what followed it are not at revision %d", got, revision)
	}
}

// The agent stops within its time though a command hangs, and the next start makes
// up for it.
func TestStopWhileACommandHangs(t *testing.T) {
	h := newHost(t, "", `[ -e $DIR/hung ]; first=$?; touch $DIR/hung; trap '' TERM INT
echo began >> $DIR/log; [ $first = 0 ] || sleep 600; echo ended >> $DIR/log`)
	h.say(1, "one")
	_, stop := h.run(t)
	for range 2000 {
		if h.log(t) != "" {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if got := h.log(t); got != "began" {
		t.Errorf("before the restart: %q", got)
	}
	h.run(t)
	if got := h.verdict(t, 1); got != "applied" || h.log(t) != "began began ended" {
		t.Errorf("%s, %s", got, h.log(t))
	}
}
