//go:build unix

package supervise

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// drain is how long the output of a program that has ended is awaited. What
	// has left its group may hold it open.
	drain = time.Second
	// rest is how often a process group is looked at.
	rest = 10 * time.Millisecond
)

// A child is the program as it runs once.
type child struct {
	cmd     *exec.Cmd
	group   bool // it leads a process group of its own
	asked   bool // it was sent a signal that may end it
	started time.Time
	outputs []*output
	tail    *tail

	exited chan struct{} // closed once what follows is set
	ended  time.Time
	state  *os.ProcessState
}

// start runs the program, and makes it the child.
func (s *Supervisor) start(on Configuration) error {
	c := &child{group: !s.shared, tail: &tail{}, exited: make(chan struct{})}
	c.cmd = &exec.Cmd{Path: s.program.Path, Args: s.program.Args, Stdin: s.program.Stdin}
	c.cmd.Env = append(append(append(c.cmd.Env, s.program.Env...), on.Variables...), on.About...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: c.group}
	var err error
	if c.outputs, err = s.outputs(c); err != nil {
		return notStarted(s.program.Path, err)
	}
	c.started = time.Now()
	err = reaping.own(c.cmd)
	for _, o := range c.outputs {
		o.begin(err == nil)
	}
	if err != nil {
		return notStarted(s.program.Path, err)
	}
	s.child, s.running = c, on
	s.program.Logger.Info("the program runs", "pid", c.cmd.Process.Pid)
	go func() {
		_ = c.cmd.Wait() // the state says it all
		reaping.disown(c.cmd.Process.Pid)
		c.ended, c.state = time.Now(), c.cmd.ProcessState
		close(c.exited)
	}()
	return nil
}

// signal sends it to the program alone, as whoever knew its PID would.
func (c *child) signal(signal os.Signal) { _ = c.cmd.Process.Signal(signal) } // one that has ended needs none

// kill ends the program, and what it has started in its group.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	c.toGroup(syscall.SIGKILL)
}

// toGroup sends a signal to the program's group, and returns false if there is
// nobody in it.
func (c *child) toGroup(signal syscall.Signal) bool {
	return c.group && syscall.Kill(-c.cmd.Process.Pid, signal) == nil
}

// await returns true once that has happened, false after the limit. Signals are
// heeded meanwhile.
func (s *Supervisor) await(what <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-what:
			return true
		case <-timer.C:
			select {
			case <-what:
				return true
			default:
				return false
			}
		case signal := <-s.signals:
			s.heed(signal)
		case <-s.killAt:
			s.child.kill()
		}
	}
}

// stop ends the program, and returns false if all is to end with it.
func (s *Supervisor) stop() bool {
	s.child.signal(syscall.SIGTERM)
	if !s.await(s.child.exited, s.program.Grace) {
		s.program.Logger.Warn("the program does not stop; killing it", "grace", s.program.Grace)
		s.child.kill()
		<-s.child.exited
	}
	s.clear()
	return !s.stopping && !s.child.asked
}

// clear leaves nothing of a program that has ended, and sees all that it said handed
// on.
func (s *Supervisor) clear() {
	s.sweep()
	late := time.After(drain)
	for _, o := range s.child.outputs {
		select {
		case <-o.ended:
		case <-late:
			return
		}
	}
}

// sweep ends what the program has left behind in its group, so that nothing holds
// what the next one needs.
func (s *Supervisor) sweep() {
	c := s.child
	if !c.toGroup(syscall.SIGTERM) {
		return
	}
	empty, given := make(chan struct{}), make(chan struct{})
	defer close(given)
	go func() {
		for c.toGroup(0) {
			select {
			case <-time.After(rest):
			case <-given:
				return
			}
		}
		close(empty)
	}()
	if !s.await(empty, s.program.Grace) {
		c.toGroup(syscall.SIGKILL)
		s.await(empty, drain)
	}
}
