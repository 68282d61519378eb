//go:build unix

package supervise

import (
	"os"
	"syscall"
	"unsafe"
)

// foreground is the process group that a terminal belongs to now; false for what
// is no terminal of this session's.
func foreground(f *os.File) (group int, ok bool) {
	if f == nil {
		return 0, false
	}
	var found int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&found)))
	return int(found), errno == 0
}

func isTerminal(f *os.File) bool {
	_, ok := foreground(f)
	return ok
}

// onTerminal says whether this process is the one that a terminal is in the hands
// of. The program then has to be in the same process group, so that it may read
// from the terminal, and so that Ctrl-C and Ctrl-Z mean both.
func onTerminal(f *os.File) bool {
	group, ok := foreground(f)
	return ok && group == syscall.Getpgrp()
}
