//go:build unix && !linux

package supervise

import (
	"log/slog"
	"os"
	"os/exec"
)

// A reaper reaps nothing where there are no containers to be the first process of.
type reaper struct{}

var reaping reaper

func (reaper) adopt(*slog.Logger) (end func()) { return func() {} }

func (reaper) own(cmd *exec.Cmd) error { return cmd.Start() }

func (reaper) disown(int) {}

func realTime() []os.Signal { return nil }
