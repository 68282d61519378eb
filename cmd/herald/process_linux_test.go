package main

import (
	"io"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/rogpeppe/go-internal/testscript"
)

// openTerminal returns both ends of a new terminal.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	var number, locked int32
	for request, argument := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &locked} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(argument))); errno != 0 {
			return nil, nil, errno
		}
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	return master, slave, err
}

// terminal NAME COMMAND…: a process on a terminal of its own, as a person has it.
func onTerminal(ts *testscript.TestScript, _ bool, args []string) {
	master, slave, err := openTerminal()
	ts.Check(err)
	defer func() { _ = slave.Close() }() // the process has its own
	ts.Defer(func() { _ = master.Close() })
	p := newProcess(ts, args)
	p.types = master
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.begin(ts, args[0])
	go func() { _, _ = io.Copy(p, master) }()
}
