package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// asProgram makes the test binary the program itself, so that a test can start
// real processes of it.
const asProgram = "HERALD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	return cmd
}

// A process is a running controller.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

// launch starts a controller on a free port and returns once it serves.
func launch(t *testing.T, db string) *process {
	t.Helper()
	cmd := program(context.Background(), nil, "--listen", "127.0.0.1:0", "--db", db)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd}
	t.Cleanup(p.kill)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "address="); ok {
			p.url, _, _ = strings.Cut(rest, " ")
			break
		}
	}
	if p.url == "" {
		t.Fatal("the controller did not start")
	}
	go io.Copy(io.Discard, log)
	return p
}

// kill ends the process as a power cut would end it.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

func (p *process) get(path string, into any) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %d, %v", path, response.StatusCode, err)
	}
}

// An ack is what a controller has acknowledged.
type ack struct {
	revision config.Revision
	name     string
	etag     config.ETag
}

// write puts documents until the controller is gone and returns what it acknowledged.
func (p *process) write(client *http.Client, name string, body func(i int) string) (acks []ack) {
	for i := 0; ; i++ {
		document := config.Document{MediaType: "application/json", Body: []byte(body(i))}
		r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPut, p.url+"/v1/namespaces/payments/configs/"+name+"?force=true", bytes.NewReader(document.Body))
		if err != nil {
			p.t.Error(err)
			return acks
		}
		response, err := client.Do(r)
		if err != nil {
			return acks
		}
		var answer struct{ Revision config.Revision }
		err = json.NewDecoder(response.Body).Decode(&answer)
		response.Body.Close()
		if err != nil {
			return acks
		}
		if response.StatusCode/100 != 2 {
			p.t.Errorf("status %d", response.StatusCode)
			return acks
		}
		acks = append(acks, ack{answer.Revision, name, document.ETag()})
	}
}

// history reads all revisions, which must be without a gap, and says what each put.
func (p *process) history() map[config.Revision]ack {
	p.t.Helper()
	kept := map[config.Revision]ack{}
	var last config.Revision
	for path := "/v1/namespaces/payments/revisions?limit=1000"; path != ""; {
		var page struct {
			Revisions []struct {
				Revision config.Revision
				Changes  []struct {
					Name string
					ETag config.ETag
				}
			}
			Next string
		}
		p.get(path, &page)
		for _, r := range page.Revisions {
			if last != 0 && r.Revision != last-1 {
				p.t.Fatalf("revision %d stands below %d", r.Revision, last)
			}
			last = r.Revision
			kept[r.Revision] = ack{r.Revision, r.Changes[0].Name, r.Changes[0].ETag}
		}
		path = page.Next
	}
	if len(kept) > 0 && last != 1 {
		p.t.Fatalf("the first revision is %d", last)
	}
	return kept
}

// TestKilledUnderLoad: SIGKILL in the middle of writing loses nothing that was
// acknowledged, keeps what was not whole or not at all, and leaves no gap.
func TestKilledUnderLoad(t *testing.T) {
	const kills, writers = 6, 4
	db := filepath.Join(t.TempDir(), "c.db")
	var all []ack
	for round := range kills {
		p := launch(t, db)
		results := make([][]ack, writers)
		var group sync.WaitGroup
		transport := &http.Transport{MaxIdleConnsPerHost: writers}
		for w := range writers {
			group.Go(func() {
				results[w] = p.write(&http.Client{Transport: transport}, fmt.Sprintf("w%d", w), func(i int) string {
					return fmt.Sprintf(`{"round":%d,"i":%d,"pad":%q}`, round, i, strings.Repeat("x", rand.N(5000)))
				})
			})
		}
		time.Sleep(100*time.Millisecond + rand.N(200*time.Millisecond))
		p.kill()
		group.Wait()
		transport.CloseIdleConnections()
		for _, acks := range results {
			all = append(all, acks...)
		}
	}
	p := launch(t, db)
	kept := p.history()
	if len(all) < kills {
		t.Fatalf("%d acknowledged commits prove nothing", len(all))
	}
	for _, a := range all {
		if kept[a.revision] != a {
			t.Errorf("acknowledged %+v, kept %+v", a, kept[a.revision])
		}
	}
	var snapshot struct{ Revision config.Revision }
	p.get("/v1/namespaces/payments/snapshot", &snapshot)
	if int(snapshot.Revision) != len(kept) || len(kept) > len(all)+kills*writers {
		t.Errorf("serves %d of %d kept, %d acknowledged", snapshot.Revision, len(kept), len(all))
	}
	t.Logf("%d kills, %d commits acknowledged, %d kept", kills, len(all), len(kept))
}

// run runs the program to its end and returns its exit code and what it said.
func run(t *testing.T, env []string, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	said, err := program(ctx, env, args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(said)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(said)
}

func TestCommandLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	db, notKey := "--db="+filepath.Join(t.TempDir(), "c.db"), filepath.Join(t.TempDir(), "c.key")
	if err := os.WriteFile(notKey, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"help", nil, []string{"--help"}, 0, "HERALD_POLL_INTERVAL"},
		{"version", nil, []string{"--version"}, 0, "dev"},
		{"an unknown flag", nil, []string{"--port", "1"}, 2, "--port"},
		{"an argument", nil, []string{"start"}, 2, "start"},
		{"a value that does not parse", nil, []string{"--poll-interval", "soon"}, 2, "--poll-interval"},
		{"a variable that does not parse", []string{"HERALD_SPREAD=soon"}, []string{db}, 2, "HERALD_SPREAD"},
		{"an interval out of bounds", []string{"HERALD_POLL_INTERVAL=1ms"}, []string{db}, 2, "--poll-interval"},
		{"beyond loopback", nil, []string{db, "--listen", ":0"}, 2, "--allow-anonymous"},
		{"an address in use", nil, []string{db, "--listen", taken.Addr().String()}, 2, "in use"},
		{"a folder that cannot be written", nil, []string{"--listen", "127.0.0.1:0", "--db", "/proc/herald/c.db"}, 2, "--db"},
		{"a key that is none", nil, []string{db, "--listen", "127.0.0.1:0", "--signing-key", notKey}, 2, "--signing-key"},
		{"no bus", nil, []string{db, "--listen", "127.0.0.1:0", "--bus", "http://127.0.0.1"}, 2, "--bus"},
		{"health of nobody", nil, []string{"health", "--listen", "127.0.0.1:1"}, 1, "not ready"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out := run(t, c.env, c.args...)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("code %d, want %d; %q does not say %q", code, c.code, out, c.says)
			}
			if c.code != 0 && strings.Count(strings.TrimSpace(out), "\n") > 0 {
				t.Errorf("more than one line: %s", out)
			}
		})
	}
}

func TestHealthAndSignal(t *testing.T) {
	p := launch(t, filepath.Join(t.TempDir(), "c.db"))
	if code, out := run(t, nil, "health", "--listen", strings.TrimPrefix(p.url, "http://")); code != 0 {
		t.Errorf("code %d: %s", code, out)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}
