package herald_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProgramsRefuseBadSettings starts the real programs on settings that they
// must refuse: code 2, and one line that names the setting.
func TestProgramsRefuseBadSettings(t *testing.T) {
	folder, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says string // what the line must name
		env  string
		args []string
	}{
		{"--nonsense", "", []string{"controller", "--nonsense"}},
		{"--nonsense", "", []string{"agent", "--nonsense"}},
		{"--nonsense", "", []string{"worker", "--nonsense"}},
		{"extra", "", []string{"agent", "extra"}},
		{"--poll-interval", "", []string{"controller", "--poll-interval", "soon"}},
		{"HERALD_POLL_INTERVAL", "HERALD_POLL_INTERVAL=soon", []string{"agent"}},
		{"HERALD_ALLOW_ANONYMOUS", "HERALD_ALLOW_ANONYMOUS=perhaps", []string{"worker"}},
		{"HERALD_LISTEN", "HERALD_LISTEN=127.0.0.1:99999", []string{"controller"}},
		{"HERALD_BUS", "HERALD_BUS=kafka://127.0.0.1", []string{"agent", "--listen", "127.0.0.1:0"}},
		{"HERALD_LOG_LEVEL", "HERALD_LOG_LEVEL=loud", []string{"worker"}},
		{"HERALD_LISTEN", "HERALD_LISTEN=nowhere", []string{"agent", "health"}},
		{"--state-dir", "", []string{"worker", "--listen", "127.0.0.1:0", "--state-dir", file}},
		{"HERALD_STATE_DIR", "HERALD_STATE_DIR=" + file, []string{"worker", "--listen", "127.0.0.1:0"}},
		{"HERALD_TOKEN_FILE", "HERALD_TOKEN_FILE=/nowhere/token", []string{"agent"}},
		{taken.Addr().String(), "", []string{"controller", "--listen", taken.Addr().String()}},
		{taken.Addr().String(), "", []string{"agent", "--listen", taken.Addr().String()}},
		{taken.Addr().String(), "", []string{"worker", "--listen", taken.Addr().String()}},
		{"--listen", "", []string{"controller", "--listen", "8080"}},
		{"--allow-anonymous", "", []string{"controller", "--listen", "0.0.0.0:0"}},
		{"--accept-token", "", []string{"agent", "--listen", "0.0.0.0:0"}},
		{"--db", "", []string{"controller", "--listen", "127.0.0.1:0", "--db", filepath.Join(file, "controller.db")}},
		{"--cache-dir", "", []string{"agent", "--listen", "127.0.0.1:0", "--cache-dir", file}},
		{"--bus", "", []string{"controller", "--listen", "127.0.0.1:0", "--bus", "kafka://127.0.0.1"}},
		{"--bus", "", []string{"agent", "--listen", "127.0.0.1:0", "--bus", "127.0.0.1:6379"}},
		{"--bus", "", []string{"worker", "--listen", "127.0.0.1:0", "--bus", "redis://"}},
		{"--upstream", "", []string{"agent", "--upstream", "controller"}},
		{"--agent", "", []string{"worker", "--agent", "agent"}},
		{"--namespaces", "", []string{"agent", "--namespaces", "../etc"}},
		{"--log-level", "", []string{"controller", "--log-level", "loud"}},
		{"--trust", "", []string{"agent", "--listen", "127.0.0.1:0", "--trust", file}},
		{"--trust", "", []string{"worker", "--listen", "127.0.0.1:0", "--trust", file}},
		{"first-use is for agents", "", []string{"worker", "--listen", "127.0.0.1:0", "--trust", "first-use"}},
		{"--templates", "", []string{"agent", "--listen", "127.0.0.1:0", "--templates", file, "--template-roots", os.TempDir()}},
		{"--template-roots", "", []string{"agent", "--listen", "127.0.0.1:0", "--templates", file}},
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(folder, c.args[0]), c.args[1:]...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), c.env)
		var said bytes.Buffer
		cmd.Stderr = &said
		err := cmd.Run()
		ended, _ := errors.AsType[*exec.ExitError](err)
		line := strings.TrimSuffix(said.String(), "\n")
		if ended == nil || ended.ExitCode() != 2 || !strings.Contains(line, c.says) || strings.Contains(line, "\n") {
			t.Errorf("%v %s: %v: %s", c.args, c.env, err, line)
		}
	}
}
