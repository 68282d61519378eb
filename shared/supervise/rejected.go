//go:build unix

package supervise

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// The codes of rejected verdicts.
const (
	CodeExited = "exited" // the program ended soon after the change
	CodeStart  = "start"  // it could not be started
)

// A Rejected is why a program does not run on a configuration.
type Rejected struct{ code, message string }

// Error says how the program ended, and its last lines.
func (r *Rejected) Error() string { return r.message }

// Code is the code of the verdict.
func (r *Rejected) Code() string { return r.code }

// rejected says how the program ended, after how long, and what it said.
func (c *child) rejected() error {
	message := fmt.Sprintf("%s after %s", c.how(), c.ended.Sub(c.started).Round(time.Millisecond))
	if last := c.tail.last(); last != "" {
		message += ": " + last
	}
	return &Rejected{CodeExited, message}
}

// notStarted says why the program could not be started.
func notStarted(path string, err error) error {
	if errors.Is(err, syscall.E2BIG) {
		err = fmt.Errorf("%w: its arguments and its environment are more than the system takes", err)
	}
	return &Rejected{CodeStart, fmt.Sprintf("cannot start %s: %v", path, err)}
}

// how says how a process ended.
func (c *child) how() string {
	if c.state == nil { // somebody else in this process waits for all there are
		return "ended, nobody knows how"
	}
	return c.state.String()
}

// code is the exit code that a shell would give.
func (c *child) code() int {
	if c.state == nil {
		return 1
	}
	if status, ok := c.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return c.state.ExitCode()
}

// An Ending is how a program ended.
type Ending struct {
	Code  int  // 128 + n for the signal n
	Asked bool // it was told to end
}

func (c *child) ending() Ending { return Ending{c.code(), c.asked} }
