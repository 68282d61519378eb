package supervise

import (
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"unsafe"
)

// A reaper takes the exit of processes that nobody waits for any more. What was
// started through it, it leaves to who waits for that.
type reaper struct {
	mu   sync.Mutex
	pids map[int]bool // of the children that are waited for
	look chan struct{}
}

// reaping is a duty of the process as a whole, so there is one reaper for all.
var reaping = &reaper{pids: map[int]bool{}, look: make(chan struct{}, 1)}

const (
	prSetChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER of prctl(2)
	pAll                = 0  // P_ALL of waitid(2)
	wNoWait             = 0x01000000
)

// adopt lets orphans come here, and reaps them until it is ended.
func (r *reaper) adopt(logger *slog.Logger) (end func()) {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		logger.Debug("orphans stay with the first process", "error", errno)
	}
	exits, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(exits, syscall.SIGCHLD)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			r.reap(logger)
			select {
			case <-exits:
			case <-r.look:
			case <-done:
				return
			}
		}
	})
	return func() {
		signal.Stop(exits)
		close(done)
		running.Wait()
	}
}

// own starts the child. Nothing is reaped meanwhile, so that one which ends at once
// is known before it is found.
func (r *reaper) own(cmd *exec.Cmd) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := cmd.Start()
	if err == nil {
		r.pids[cmd.Process.Pid] = true
	}
	return err
}

// disown says that the child was waited for.
func (r *reaper) disown(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pids, pid)
	select {
	case r.look <- struct{}{}: // there may be others behind it
	default:
	}
}

// reap takes the exits that are there, up to the one of a child.
func (r *reaper) reap(logger *slog.Logger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		pid := ended()
		if pid == 0 || r.pids[pid] {
			return
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err != nil {
			return
		}
		logger.Debug("reaped an orphan", "pid", pid)
	}
}

// An exit is the siginfo_t of waitid(2), as far as it is read.
type exit struct {
	signo, _, _ int32
	_           [pad]int32
	pid         int32
	_           [112]byte
}

// pad is the alignment that 64-bit systems have there.
const pad = (^uint(0) >> 63) & 1

// ended returns a process of ours that has ended, and leaves it as it is; 0 for none.
func ended() int {
	for {
		var found exit
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pAll, 0, uintptr(unsafe.Pointer(&found)),
			syscall.WEXITED|syscall.WNOHANG|wNoWait, 0, 0)
		switch errno {
		case 0:
			return int(found.pid)
		case syscall.EINTR:
		default: // there are no children
			return 0
		}
	}
}

// realTime are the real-time signals that programs may use.
func realTime() (signals []os.Signal) {
	for n := 35; n <= 64; n++ {
		signals = append(signals, syscall.Signal(n))
	}
	return signals
}
