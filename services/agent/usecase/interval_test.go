package usecase

import (
	"errors"
	"testing"
	"time"
)

// The interval that was told outlives a restart, and is written once.
func TestTheToldIntervalIsKept(t *testing.T) {
	disk := &fakeCache{err: errors.New("no space left")}
	s, _, _ := newSyncer(disk)
	if s.Interval() != 0 {
		t.Errorf("nobody told %s", s.Interval())
	}
	s.SetInterval(7 * time.Second)
	if again, _, _ := newSyncer(disk); s.Interval() != 7*time.Second || again.Interval() != 0 {
		t.Errorf("with a full disk %s, and after a restart %s", s.Interval(), again.Interval())
	}
	disk.err = nil
	for range 3 {
		s.SetInterval(7 * time.Second)
	}
	again, _, _ := newSyncer(disk)
	again.SetInterval(7 * time.Second)
	if again.Interval() != 7*time.Second || disk.tried != 2 {
		t.Errorf("after a restart %s; %d writes", again.Interval(), disk.tried)
	}
}
