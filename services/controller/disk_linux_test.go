package controller_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/heraldconf/herald/services/controller"
)

// fullDisk returns a small file system, and how to fill it and make room again.
func fullDisk(t *testing.T) (folder string, fill, empty func()) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Skipf("no file system of its own, %v: run this test as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(folder, "filler")
	fill = func() {
		if err := os.WriteFile(filler, make([]byte, 16<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("the disk is not full: %v", err)
		}
	}
	return folder, fill, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAFullDiskLetsNothingThrough: what an operator accepts or sets of an agent while it
// cannot be kept is answered with 507, and neither told to the agent nor in the audit.
func TestAFullDiskLetsNothingThrough(t *testing.T) {
	folder, fill, empty := fullDisk(t)
	c := start(t, controller.Config{DB: filepath.Join(folder, "c.db")})
	const agent, accept = `{"id":"host-7","namespaces":["payments"]}`, `{"namespace":"payments","epoch":"01A","revision":9}`
	for _, step := range [][3]string{
		{"PUT", "/v1/namespaces/payments/configs/limits", "1"},
		{"POST", "/v1/agents", agent},
		{"POST", "/v1/agents/host-7/reports", `{"fetched":[{"namespace":"payments","epoch":"01A","revision":9,"etag":"e","status":"rejected","code":"shrunk"}]}`},
	} {
		if status, said := c.ask(step[0], step[1], step[2]); status/100 != 2 {
			t.Fatalf("%s: %d %s", step[1], status, said)
		}
	}
	fill()
	for _, change := range [][3]string{{"POST", "/v1/agents/host-7/accept", accept}, {"PATCH", "/v1/agents/host-7", `{"poll_interval_seconds":5}`}} {
		if status, said := c.ask(change[0], change[1], change[2]); status != 507 || !strings.Contains(said, `"code":"storage_full"`) {
			t.Errorf("%s %s: %d %s", change[0], change[1], status, said)
		}
	}
	unchanged := func(when string) {
		t.Helper()
		if _, said := c.ask("POST", "/v1/agents", agent); strings.Contains(said, "accepted") || !strings.Contains(said, `"poll_interval_seconds":15`) {
			t.Errorf("%s: the agent is told %s", when, said)
		}
		if _, said := c.ask("GET", "/v1/audit", ""); strings.Contains(said, `"agent.`) {
			t.Errorf("%s: the audit tells %s", when, said)
		}
	}
	unchanged("while it is full")
	empty()
	unchanged("once there is room")
	if status, said := c.ask("POST", "/v1/agents/host-7/accept", accept); status != 200 {
		t.Errorf("%d %s", status, said)
	}
	if _, said := c.ask("POST", "/v1/agents", agent); !strings.Contains(said, `"accepted":[{"namespace":"payments"`) {
		t.Errorf("the agent is told %s", said)
	}
}
