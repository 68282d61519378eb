package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent"
)

// A disk is where an agent keeps what it has, and how to break and mend it.
type disk struct {
	folder      string
	spoil, mend func(t *testing.T)
}

// mounted returns a small file system of its own, or "" to who may not mount one.
func mounted(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		t.Logf("no file system of its own, %v: another way is taken", err)
		return ""
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// full is a disk without room: one that is filled, or else a process that may
// write files of no bytes only.
func full(t *testing.T) disk {
	folder := mounted(t)
	if folder == "" {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		restrict := func(t *testing.T, most uint64) {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: limit.Max}); err != nil {
				t.Fatal(err)
			}
		}
		return disk{t.TempDir(), func(t *testing.T) { restrict(t, 0) }, func(t *testing.T) { restrict(t, limit.Cur) }}
	}
	filler := filepath.Join(folder, "filler")
	spoil := func(t *testing.T) {
		if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("the disk is not full: %v", err)
		}
	}
	return disk{folder, spoil, func(t *testing.T) {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}}
}

// readOnly is a disk that is mounted so from some time on, or else one without
// permission.
func readOnly(t *testing.T) disk {
	folder := mounted(t)
	if folder == "" {
		return forbidden(t)
	}
	remount := func(t *testing.T, flags uintptr) {
		if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT|flags, "size=256k"); err != nil {
			t.Fatal(err)
		}
	}
	return disk{folder, func(t *testing.T) { remount(t, syscall.MS_RDONLY) }, func(t *testing.T) { remount(t, 0) }}
}

// forbidden is a folder whose files this process may only read. Root may do as it
// likes, and so becomes somebody else.
func forbidden(t *testing.T) disk {
	const nobody = 65534
	folder, err := os.MkdirTemp("", "herald-forbidden") //nolint:usetesting // nobody else may enter where t.TempDir is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	root := os.Geteuid() == 0
	become := func(t *testing.T, user int) {
		if err := syscall.Setreuid(-1, user); root && err != nil {
			t.Fatal(err)
		}
	}
	change := func(t *testing.T, mode os.FileMode) {
		if err := os.Chmod(folder, mode); err != nil {
			t.Fatal(err)
		}
	}
	spoil := func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(files, folder) {
			if err := os.Chown(name, nobody, -1); root && err != nil {
				t.Fatal(err)
			}
		}
		change(t, 0o500)
		become(t, nobody)
	}
	return disk{folder, spoil, func(t *testing.T) { become(t, 0); change(t, 0o700) }}
}

// A disk that is full, read-only, or forbidden keeps the agent from nothing but
// keeping: it serves what is new from memory and says so, starts with what it has,
// and keeps what it serves once it can.
func TestADiskThatFails(t *testing.T) {
	for name, of := range map[string]func(*testing.T) disk{"full": full, "read-only": readOnly, "forbidden": forbidden} {
		t.Run(name, func(t *testing.T) { failing(t, of(t)) })
	}
}

func failing(t *testing.T, d disk) {
	c := newController(t)
	first := c.put("payments", 1, `{"rps":1}`)
	alive := agent.Config{Upstream: []string{c.URL}, Namespaces: []string{"payments"}, CacheDir: d.folder}
	alone := alive
	alone.Upstream = []string{"http://127.0.0.1:1"}
	url, stop := run(t, alive)
	get(t, url+snapshotPath)
	awaitStatus(t, url, `"cache":{"state":"ok","last_error":""}`)

	d.spoil(t)
	whole := sync.OnceFunc(func() { d.mend(t) })
	defer whole()
	second := c.put("payments", 2, strings.Repeat(" ", 8<<10)+`{"rps":2}`)
	if answer, body := get(t, url+snapshotPath, "If-None-Match", first.ETag.Quoted(""), "Prefer", "wait=20"); body != string(second.Body) || answer.Header.Get("Herald-Stale") != "" {
		t.Fatalf("while the disk fails: %d %v", answer.StatusCode, answer.Header)
	}
	awaitStatus(t, url, `"cache":{"state":"down"`, `"unkept":"`)
	if answer, body := get(t, url+"/readyz"); answer.StatusCode != 200 || !strings.Contains(body, `"cache":"down"`) {
		t.Errorf("readiness: %d %s", answer.StatusCode, body)
	}
	if _, body := get(t, url+"/metrics"); !strings.Contains(body, "herald_agent_cache_up 0") || !strings.Contains(body, "herald_agent_unkept_namespaces 1") {
		t.Errorf("metrics: %s", body)
	}
	for told := false; !told; { // fetched, and told, though not kept
		reports := <-c.reports
		for _, f := range reports.Fetched {
			told = told || f.Revision == 2
		}
	}
	stop()

	url, stop = run(t, alone) // with nothing else alive, and the disk as bad as it was
	if answer, body := get(t, url+snapshotPath); body != string(first.Body) || answer.Header.Get("Herald-Stale") != "true" {
		t.Errorf("started on a bad disk: %d %v", answer.StatusCode, answer.Header)
	}
	awaitStatus(t, url, `"cache":{"state":"down"`)
	stop()

	url, stop = run(t, alive)
	get(t, url+snapshotPath, "If-None-Match", first.ETag.Quoted(""), "Prefer", "wait=20")
	awaitStatus(t, url, `"unkept":"`)
	whole()
	awaitStatus(t, url, `"cache":{"state":"ok"`, `!"unkept":"`)
	stop()
	url, _ = run(t, alone)
	if _, body := get(t, url+snapshotPath); body != string(second.Body) {
		t.Errorf("was not kept once it could be: %s", body)
	}
}

// awaitStatus waits until the agent's status has all of these, and nothing that is
// written behind a !.
func awaitStatus(t *testing.T, url string, want ...string) {
	t.Helper()
	var body string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, body = get(t, url+"/v1/status")
		met := true
		for _, text := range want {
			text, absent := strings.CutPrefix(text, "!")
			met = met && strings.Contains(body, text) != absent
		}
		if met {
			return
		}
	}
	t.Fatalf("status %s, want %q", body, want)
}
