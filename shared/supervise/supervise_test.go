//go:build unix

package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/supervise"
)

// patience is how long a test waits for what must happen, and settle how long a
// program has to live; none that lives here is waited for longer.
const (
	patience = 20 * time.Second
	settle   = 300 * time.Millisecond
)

// asked says of an end that it was asked for.
const asked = true

// A run is a program of the shell that is supervised.
type run struct {
	*supervise.Supervisor
	t       *testing.T
	signals chan os.Signal
	lines   chan string
	ended   chan result
}

type result struct {
	supervise.Ending
	err error
}

// supervised runs a script, once it has a configuration.
func supervised(t *testing.T, script string, set func(*supervise.Program)) *run {
	t.Helper()
	said, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	p := supervise.Program{
		Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")},
		Stdin: null, Stdout: write, Stderr: write, Grace: patience, Settle: settle, AdoptOrphans: true, Logger: slog.New(slog.DiscardHandler),
	}
	if set != nil {
		set(&p)
	}
	r := &run{t: t, signals: make(chan os.Signal, 8), lines: make(chan string, 1000), ended: make(chan result, 1)}
	r.Supervisor = supervise.New(p, r.signals)
	go func() {
		for in := bufio.NewScanner(said); in.Scan(); {
			r.lines <- in.Text()
		}
		close(r.lines)
	}()
	over := make(chan struct{})
	go func() {
		defer close(over)
		how, err := r.Run(context.Background())
		r.ended <- result{how, err}
		_ = write.Close()
	}()
	t.Cleanup(func() {
		select {
		case <-over:
		case r.signals <- syscall.SIGTERM:
			r.signals <- syscall.SIGTERM // and at once
			<-over
		}
		_ = null.Close()
	})
	return r
}

// says waits for a line that begins so, and returns the rest of it.
func (r *run) says(prefix string) string {
	r.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("it ended and never said %q", prefix)
			}
			if rest, is := strings.CutPrefix(line, prefix); is {
				return rest
			}
		case <-late:
			r.t.Fatalf("it does not say %q", prefix)
		}
	}
}

// ends waits until Run ends, and sees how.
func (r *run) ends(code int, asked ...bool) {
	r.t.Helper()
	select {
	case got := <-r.ended:
		if got.Code != code || got.Asked != (len(asked) > 0) || got.err != nil {
			r.t.Errorf("it ended with %+v; want %d", got, code)
		}
	case <-time.After(patience):
		r.t.Fatal("it does not end")
	}
}

func (r *run) changes(variables ...string) {
	r.t.Helper()
	if err := r.Change(supervise.Configuration{Variables: variables}); err != nil {
		r.t.Errorf("the change to %v: %v", variables, err)
	}
}

func (r *run) refuses(code, message string, variables ...string) {
	r.t.Helper()
	err := r.Change(supervise.Configuration{Variables: variables})
	rejected, ok := errors.AsType[*supervise.Rejected](err)
	if !ok || rejected.Code() != code || !strings.Contains(err.Error(), message) {
		r.t.Errorf("the change to %.100v: %v; want %s with %q", variables, err, code, message)
	}
}

// server goes on until SIGTERM, and crashes where A is crash.
const server = `
trap 'echo "stopped $A"; exit 0' TERM
trap 'echo "hup $A"' HUP
trap 'echo "usr1 $A"' USR1
echo "runs $A $B $$"
if [ "$A" = crash ]; then echo "some trace" >&2; echo "Error: no such A" >&2; exit 7; fi
while :; do sleep 0.02; done`

func TestChangeRestarts(t *testing.T) {
	r := supervised(t, server, nil)
	r.changes("A=1")
	first := r.says("runs 1 ")
	r.changes("A=2", "B=x")
	r.says("stopped 1")
	if second := r.says("runs 2 x "); second == first {
		t.Errorf("both were process %s", first)
	}
}

func TestSameVariablesDisturbNobody(t *testing.T) {
	r := supervised(t, server, nil)
	r.changes("A=1")
	r.says("runs 1")
	if err := r.Change(supervise.Configuration{Variables: []string{"A=1"}, About: []string{"B=2"}}); err != nil {
		t.Error(err)
	}
	r.signals <- syscall.SIGUSR1
	if line := <-r.lines; line != "usr1 1" {
		t.Errorf("after a change of nothing it says %q", line)
	}
	each := supervised(t, server, func(p *supervise.Program) { p.EachChange = true })
	each.changes()
	each.says("runs")
	each.changes()
	each.says("stopped")
	each.says("runs")
}

func TestCrashGoesBack(t *testing.T) {
	r := supervised(t, server, nil)
	r.changes("A=1")
	r.says("runs 1")
	r.refuses("exited", "exit status 7 after ", "A=crash")
	r.says("runs crash")
	r.says("Error: no such A")
	r.says("runs 1")
	r.refuses("exited", "Error: no such A", "A=crash")
	r.changes("A=2")
	r.says("runs 2")
}

func TestFirstConfigurationHasNothingToGoBackTo(t *testing.T) {
	r := supervised(t, server, nil)
	r.refuses("exited", "some trace\nError: no such A", "A=crash")
	r.ends(7)
	if err := r.Change(supervise.Configuration{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a change after the end: %v", err)
	}
}

func TestJobThatEndsWellIsNoFailure(t *testing.T) {
	r := supervised(t, "echo $A", nil)
	r.changes("A=1")
	r.says("1")
	r.ends(0)
}

func TestEndOfItsOwnIsPassedOn(t *testing.T) {
	for script, code := range map[string]int{"exit 9": 9, "exit 0": 0, "kill -9 $$": 137, "kill -USR1 $$": 128 + int(syscall.SIGUSR1)} {
		r := supervised(t, "read line < $GATE; "+script, func(p *supervise.Program) {
			gate := t.TempDir() + "/gate"
			if err := syscall.Mkfifo(gate, 0o600); err != nil {
				t.Fatal(err)
			}
			p.Env, p.Settle = append(p.Env, "GATE="+gate), 0
		})
		gate := supervise.Env(r.Supervisor, "GATE")
		r.changes()
		if err := os.WriteFile(gate, []byte("go\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.ends(code)
	}
}

// Who reaps orphans must not take the exit of the program, however soon it ends.
func TestReaperLeavesTheProgramItsExit(t *testing.T) {
	for range 200 {
		r := supervised(t, "exit 9", func(p *supervise.Program) { p.Settle = patience })
		r.refuses("exited", "exit status 9")
		r.ends(9)
	}
}

func TestStopIsPassedOn(t *testing.T) {
	r := supervised(t, server, nil)
	r.changes("A=1")
	r.says("runs 1")
	r.signals <- syscall.SIGTERM
	r.says("stopped 1")
	r.ends(0, asked)
}

func TestStopBeforeTheFirstConfiguration(t *testing.T) {
	r := supervised(t, server, nil)
	r.signals <- syscall.SIGUSR1
	r.signals <- syscall.SIGINT
	r.ends(0, asked)
}

// deaf hears no SIGTERM, and nor does what it starts.
const deaf = `trap '' TERM; sleep 1000 & echo "runs $A $!"; wait; wait`

func TestGraceEnds(t *testing.T) {
	r := supervised(t, deaf, func(p *supervise.Program) { p.Grace = 50 * time.Millisecond })
	r.changes("A=1")
	left := r.says("runs 1 ")
	r.changes("A=2")
	gone(t, left)
	left = r.says("runs 2 ")
	r.signals <- syscall.SIGTERM
	r.ends(137, asked)
	gone(t, left)
}

func TestSecondStopIsAtOnce(t *testing.T) {
	r := supervised(t, deaf, func(p *supervise.Program) { p.Grace = time.Hour })
	r.changes("A=1")
	left := r.says("runs 1 ")
	r.signals <- syscall.SIGTERM
	r.signals <- syscall.SIGTERM
	r.ends(137, asked)
	gone(t, left)
}

// gone sees that a process has ended; as a zombie it may stand there until whoever
// is responsible looks.
func gone(t *testing.T, pid string) {
	t.Helper()
	number, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); syscall.Kill(number, 0) == nil; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %s was left behind", pid)
		}
	}
}

func TestWhatIsLeftBehindIsSwept(t *testing.T) {
	r := supervised(t, `sleep 1000 & echo "runs $!"; trap 'exit 3' TERM; while :; do sleep 0.02; done`, nil)
	r.changes("A=1")
	left := r.says("runs ")
	r.changes("A=2")
	gone(t, left)
	left = r.says("runs ")
	r.signals <- syscall.SIGTERM
	r.ends(3, asked)
	gone(t, left)
}

func TestStopWhileItSettlesIsNoVerdict(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		r := supervised(t, "echo runs; exec sleep 1000", func(p *supervise.Program) { p.Settle = time.Hour })
		verdict := make(chan error, 1)
		go func() { verdict <- r.Change(supervise.Configuration{}) }()
		r.says("runs")
		r.signals <- signal
		if err := <-verdict; !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %v", signal, err)
		}
		r.ends(128+int(signal.(syscall.Signal)), asked)
	}
}

// One that does not bear what it begins on goes back to what there was before the start,
// and is not disturbed when it is told of that.
func TestBeginningOnSomethingNewerThanTheLastGood(t *testing.T) {
	r := supervised(t, `echo "began on $REVISION"; test $REVISION != 2 || exit 9; exec sleep 60`, func(p *supervise.Program) { p.EachChange = true })
	lastGood := supervise.Configuration{About: []string{"REVISION=1"}}
	newer := supervise.Configuration{About: []string{"REVISION=2"}, Variables: []string{"A=b"}}
	err := r.ChangeFrom(lastGood, newer)
	if _, ok := errors.AsType[*supervise.Rejected](err); !ok {
		t.Fatalf("%v", err)
	}
	r.says("began on 2")
	r.says("began on 1")
	if err := r.Change(lastGood); err != nil {
		t.Error(err)
	}
	select {
	case line := <-r.lines:
		t.Errorf("it was started anew: %s", line)
	default:
	}
}

func TestSignalInsteadOfRestart(t *testing.T) {
	r := supervised(t, server, func(p *supervise.Program) { _ = p.OnChange.Set("signal:hup") })
	r.changes("A=1")
	r.says("runs 1")
	r.changes("A=2")
	r.says("hup 1")
	r.changes("A=2")
	r.says("hup 1")
	unready := supervised(t, "echo runs $A; exec sleep 1000", func(p *supervise.Program) { _ = p.OnChange.Set("signal:HUP") })
	unready.changes("A=1")
	unready.says("runs 1")
	unready.refuses("exited", "signal: hangup", "A=2")
	unready.says("runs 1")
}

func TestNoReaction(t *testing.T) {
	r := supervised(t, server, func(p *supervise.Program) { p.OnChange = supervise.None })
	r.changes("A=1")
	r.says("runs 1")
	r.changes("A=crash")
	r.signals <- syscall.SIGUSR1
	r.says("usr1 1")
}

// A signal that the program outlived says nothing of the change after it.
func TestOutlivedSignalIsForgotten(t *testing.T) {
	r := supervised(t, server, nil)
	r.changes("A=1")
	r.says("runs 1")
	r.signals <- syscall.SIGHUP
	r.says("hup 1")
	r.refuses("exited", "no such A", "A=crash")
	r.says("runs 1")
}

func TestWhatCannotBeStarted(t *testing.T) {
	r := supervised(t, server, nil)
	r.changes("A=1")
	r.says("runs 1")
	r.refuses("start", "argument list too long: its arguments and its environment", "A="+strings.Repeat("x", 4<<20))
	r.says("stopped 1")
	r.says("runs 1")

	first := supervised(t, server, func(p *supervise.Program) { p.Path = "/nowhere/at/all" })
	first.refuses("start", "cannot start /nowhere/at/all")
	if got := <-first.ended; got.err == nil {
		t.Errorf("it ended with %d and no error", got.Code)
	}
}

func TestWaitForTheFirstIsBounded(t *testing.T) {
	s := supervise.New(supervise.Program{Logger: slog.New(slog.DiscardHandler)}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
