package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A process runs behind the script.
type process struct {
	cmd    *exec.Cmd
	exited chan error
	types  io.Writer // its terminal's other end; nil for none

	mu     sync.Mutex
	output bytes.Buffer
	grown  chan struct{} // has a signal whenever there is more
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.grown <- struct{}{}:
	default:
	}
	return p.output.Write(b)
}

// said is what was not forgotten yet.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// newProcess is the process of NAME COMMAND….
func newProcess(ts *testscript.TestScript, args []string) *process {
	p := &process{cmd: exec.Command(args[1], args[2:]...), grown: make(chan struct{}, 1), exited: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HERALD_SERVER", "HERALD_BUS", "PATH"} {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	return p
}

func (p *process) begin(ts *testscript.TestScript, name string) {
	ts.Check(p.cmd.Start())
	go func() { p.exited <- p.cmd.Wait() }()
	worldOf(ts).processes[name] = p
}

// begin NAME COMMAND…: a process whose output is read with says.
func begin(ts *testscript.TestScript, _ bool, args []string) { newProcess(ts, args).begin(ts, args[0]) }

// types NAME TEXT: types on the terminal of the process, with Go's escapes.
func types(ts *testscript.TestScript, _ bool, args []string) {
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	_, err = io.WriteString(worldOf(ts).processes[args[0]].types, text)
	ts.Check(err)
}

// says NAME REGEXP: waits for a line of the process, and forgets it and those
// before it.
func says(ts *testscript.TestScript, _ bool, args []string) {
	p := worldOf(ts).processes[args[0]]
	wanted := regexp.MustCompile("(?m)^.*" + args[1] + ".*\n")
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		found := wanted.FindIndex(p.output.Bytes())
		if found != nil {
			ts.Logf("%s says: %s", args[0], p.output.Next(found[1]))
		}
		p.mu.Unlock()
		if found != nil {
			return
		}
		select {
		case <-p.grown:
		case <-timeout:
			ts.Fatalf("%s says no line like %s, but: %s", args[0], args[1], p.said())
		}
	}
}

// end NAME: interrupts the process, as Ctrl-C does, and sees it end with 0.
func end(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(worldOf(ts).processes[args[0]].cmd.Process.Signal(os.Interrupt))
	ended(ts, neg, args)
}

// ended NAME: sees the process end with 0.
func ended(ts *testscript.TestScript, _ bool, args []string) {
	p := worldOf(ts).processes[args[0]]
	select {
	case err := <-p.exited:
		if err != nil {
			ts.Fatalf("%s ended with %v: %s", args[0], err, p.said())
		}
	case <-time.After(patience):
		ts.Fatalf("%s did not end", args[0])
	}
}

// signal NAME SIGNAL: sends it to the process.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	ts.Check(worldOf(ts).processes[args[0]].cmd.Process.Signal(signals[args[1]]))
}

// ends NAME CODE: sees the process end with that code.
func ends(ts *testscript.TestScript, _ bool, args []string) {
	p := worldOf(ts).processes[args[0]]
	select {
	case <-p.exited:
		if code := strconv.Itoa(p.cmd.ProcessState.ExitCode()); code != args[1] {
			ts.Fatalf("%s ended with %s: %s", args[0], code, p.said())
		}
	case <-time.After(patience):
		ts.Fatalf("%s did not end: %s", args[0], p.said())
	}
}

// port NAME: the variable becomes a port that nobody listens at.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	ts.Check(listener.Close())
}

// serves PORT REGEXP: asks whoever listens there until the answer matches.
func serves(ts *testscript.TestScript, _ bool, args []string) {
	wanted := regexp.MustCompile(args[1])
	var last string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://127.0.0.1:" + args[0])
		if err != nil {
			last = err.Error()
			continue
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if last = string(body); err == nil && wanted.MatchString(last) {
			return
		}
	}
	ts.Fatalf("nobody there serves %s, but: %s", args[1], last)
}
