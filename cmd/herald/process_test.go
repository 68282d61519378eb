package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A process runs behind the script.
type process struct {
	cmd    *exec.Cmd
	exited chan error

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

// begin NAME COMMAND…: a process whose output is read with says.
func begin(ts *testscript.TestScript, _ bool, args []string) {
	p := &process{cmd: exec.Command(args[1], args[2:]...), grown: make(chan struct{}, 1), exited: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HERALD_SERVER", "HERALD_BUS"} {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(p.cmd.Start())
	go func() { p.exited <- p.cmd.Wait() }()
	worldOf(ts).processes[args[0]] = p
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
