//go:build unix

package supervise

import (
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Reaction is what a program is done to when its configuration changes. It is
// one of Restart and None, or a signal, and reads itself from restart, none and
// signal:HUP.
type Reaction struct {
	signal syscall.Signal
	name   string
}

// The reactions beside signals. The zero value is Restart.
var (
	Restart = Reaction{}
	None    = Reaction{name: "none"}
)

// signalled are the signals that a change may send.
var signalled = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
	"TERM": syscall.SIGTERM, "WINCH": syscall.SIGWINCH, "ALRM": syscall.SIGALRM, "CONT": syscall.SIGCONT, "URG": syscall.SIGURG, "IO": syscall.SIGIO,
}

// Set reads a reaction as it is written.
func (r *Reaction) Set(written string) error {
	name, is := strings.CutPrefix(written, "signal:")
	name = strings.TrimPrefix(strings.ToUpper(name), "SIG")
	switch number, known := signalled[name]; {
	case written == "restart":
		*r = Restart
	case written == "none":
		*r = None
	case is && known:
		*r = Reaction{number, "signal:" + name}
	case is:
		return fmt.Errorf("no such signal; there are %s", strings.Join(slices.Sorted(maps.Keys(signalled)), ", "))
	default:
		return fmt.Errorf("write restart, none or a signal as in signal:HUP")
	}
	return nil
}

// String returns the reaction as it is written.
func (r Reaction) String() string {
	if r == Restart {
		return "restart"
	}
	return r.name
}

// Type names what a flag takes.
func (r Reaction) Type() string { return "restart|none|signal:NAME" }

// ending are the passed signals of which a program mostly ends.
var ending = []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}

// Signals relays the signals that a Supervisor passes on, and SIGPIPE, which must
// not end it. stop ends that.
func Signals() (signals <-chan os.Signal, stop func()) {
	relayed := make(chan os.Signal, 64)
	passed := append([]os.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGALRM, syscall.SIGPIPE}, ending...)
	signal.Notify(relayed, append(passed, realTime()...)...)
	return relayed, func() { signal.Stop(relayed) }
}

// heed passes a signal on. SIGTERM is also the word that all is to end: the program
// is killed after its grace, or at once with a second one.
func (s *Supervisor) heed(received os.Signal) {
	if received == syscall.SIGPIPE {
		return
	}
	ends := slices.Contains(ending, received)
	if s.child == nil {
		s.stopping = s.stopping || ends
		return
	}
	s.child.asked = s.child.asked || ends
	if received == syscall.SIGTERM {
		if s.stopping {
			s.child.kill()
			return
		}
		s.stopping = true
		s.killAt = time.After(s.program.Grace)
	}
	if fromTerminal := received == syscall.SIGINT || received == syscall.SIGQUIT || received == syscall.SIGWINCH; fromTerminal &&
		s.shared && onTerminal(s.program.Stdin) {
		return // the terminal sends these to everybody in the group, so the program has it
	}
	s.child.signal(received)
}
