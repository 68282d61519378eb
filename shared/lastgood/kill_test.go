package lastgood_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
)

// What this binary does instead of testing when a test has started it again.
const (
	roleVariable = "LASTGOOD_TEST_ROLE"
	roleSaver    = "saver"
	roleFull     = "full disk"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case roleSaver:
		os.Exit(saveForEver(os.Args[1]))
	case roleFull:
		os.Exit(saveOnFullDisk(os.Args[1]))
	}
	os.Exit(m.Run())
}

func again(t *testing.T, role, folder string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], folder)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// saveForEver saves revision upon revision from the one that is kept on, and
// prints each once it is saved.
func saveForEver(folder string) int {
	f, err := lastgood.Open(folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	revision := config.Revision(0)
	if kept, err := f.Load("payments"); err == nil {
		revision = kept.Snapshot.Revision
	}
	for {
		revision++
		if err := f.Save(snapshot("payments", revision), time.Now()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(revision)
	}
}

// A process is killed while it saves, again and again: what is kept is what was
// saved last or what was being saved, never torn, and never the one before.
func TestKilledWhileItSaves(t *testing.T) {
	folder := t.TempDir()
	for round := range 40 {
		told := killed(t, folder, 1+round%5, time.Duration(round*37%100)*20*time.Microsecond)
		kept, err := open(t, folder).Load("payments")
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if kept.Previous || kept.Snapshot.Revision < told || kept.Snapshot.Revision > told+1 {
			t.Fatalf("round %d: revision %d is kept, previous %v (%v), of %d that were told", round, kept.Snapshot.Revision, kept.Previous, kept.Damage, told)
		}
		if want := snapshot("payments", kept.Snapshot.Revision); string(want.Body) != string(kept.Snapshot.Body) {
			t.Fatalf("round %d: torn: %q", round, kept.Snapshot.Body)
		}
	}
}

// killed starts a process that saves, kills it after some saves and a moment, and
// returns the last revision that it told of.
func killed(t *testing.T, folder string, saves int, moment time.Duration) (told config.Revision) {
	t.Helper()
	cmd := again(t, roleSaver, folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		revision, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		told = config.Revision(revision)
		if n == saves {
			time.AfterFunc(moment, func() { cmd.Process.Kill() })
		}
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL || told == 0 {
		t.Fatalf("was not killed: %v, %d told", err, told)
	}
	return told
}

// saveOnFullDisk may write files of some bytes only, as on a disk that is full.
func saveOnFullDisk(folder string) int {
	fail := func(what string, err error) int {
		fmt.Println(what, err)
		return 1
	}
	f, err := lastgood.Open(folder)
	if err != nil {
		return fail("open:", err)
	}
	var limit syscall.Rlimit
	restrict := func(bytes uint64) error {
		limit.Cur = bytes
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	}
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return fail("limit:", err)
	}
	roomy := limit.Cur
	if err := restrict(100); err != nil {
		return fail("limit:", err)
	}
	if err := f.Save(snapshot("payments", 3), noon); err == nil {
		return fail("saved without room", nil)
	}
	if err := f.WriteFile("followed.json", make([]byte, 200)); err == nil {
		return fail("written without room", nil)
	}
	kept, err := f.Load("payments")
	if err != nil || kept.Previous || kept.Snapshot.Revision != 2 {
		return fail(fmt.Sprintf("kept %+v", kept), err)
	}
	if err := restrict(0); err != nil {
		return fail("limit:", err)
	}
	again, err := lastgood.Open(folder) // a restart meanwhile
	if err != nil {
		return fail("opened without room:", err)
	}
	if again.Writable() == nil {
		return fail("writable without room", nil)
	}
	if kept, err := again.Load("payments"); err != nil || kept.Previous || kept.Snapshot.Revision != 2 {
		return fail(fmt.Sprintf("kept %+v", kept), err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 {
		return fail(fmt.Sprintf("left behind %v", entries), err)
	}
	if err := restrict(roomy); err != nil {
		return fail("limit:", err)
	}
	if err := f.Writable(); err != nil {
		return fail("room again:", err)
	}
	if err := f.Save(snapshot("payments", 3), noon); err != nil {
		return fail("room again:", err)
	}
	return 0
}

func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	f := open(t, folder)
	save(t, f, snapshot("payments", 1))
	save(t, f, snapshot("payments", 2))
	cmd := again(t, roleFull, folder)
	if out, err := cmd.Output(); err != nil {
		t.Fatalf("%v: %s", err, strings.TrimSpace(string(out)))
	}
	if kept, err := f.Load("payments"); err != nil || kept.Previous || kept.Snapshot.Revision != 3 {
		t.Errorf("once there was room: %+v, %v", kept, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "payments.previous")); err != nil {
		t.Error(err)
	}
}
