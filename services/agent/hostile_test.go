package agent_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

const (
	// mostMemory is what an agent may ever have used, in KiB, whatever upstream sends.
	mostMemory = 64 << 10
	// largestMemory is the same for the largest body that is all right.
	largestMemory = 128 << 10
	// hostilePoll is how often an agent polls in these tests, and so how soon it is to
	// be current once upstream is good; margin is for a slow machine.
	hostilePoll = 10 * time.Second
	margin      = 2 * time.Second

	keysPath  = "/v1/signing-keys"
	elsewhere = "/elsewhere"
)

// An upstream is a controller that can turn hostile.
type turning struct {
	*controller
	front *httptest.Server
	evil  atomic.Pointer[evil]
	asked atomic.Int64
}

func newTurning(t *testing.T) *turning {
	u := &turning{controller: newController(t)}
	u.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := u.evil.Load()
		switch {
		case r.URL.Path == elsewhere:
			s := sealed("payments", "01A", 50)
			claims(w, s, s.Body)
		case r.URL.Path == keysPath && (e == nil || u.key == nil):
			_, _ = w.Write(config.Keys{config.NewKey(keyOf(1).Public().(ed25519.PublicKey), time.Now())}.Encode())
		case e != nil && (r.URL.Path == snapshotPath || r.URL.Path == keysPath):
			if r.URL.Path == snapshotPath {
				u.asked.Add(1)
			}
			(*e)(w, r, sealed("payments", "01A", 50))
		default:
			u.Config.Handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(u.front.Close)
	t.Cleanup(u.front.CloseClientConnections)
	return u
}

// turn turns it, and ends what is held.
func (u *turning) turn(e *evil) { u.evil.Store(e); u.front.CloseClientConnections() }

// TestOutageByAHostileUpstream: a real agent keeps its last good, stays small, and
// has what is new within a poll of upstream being good again, however it was tried:
// by what hangs too, which ends by itself.
func TestOutageByAHostileUpstream(t *testing.T) {
	program := build(t)
	t.Run("all", func(t *testing.T) {
		for name, e := range evils {
			t.Run(name, func(t *testing.T) { t.Parallel(); outlive(t, program, &e, nil) })
		}
		for name, e := range forgeries {
			t.Run(name, func(t *testing.T) { t.Parallel(); outlive(t, program, &e, keyOf(1)) })
		}
	})
	http.DefaultClient.CloseIdleConnections()
}

func outlive(t *testing.T, program string, e *evil, key ed25519.PrivateKey) {
	u := newTurning(t)
	u.key = key
	good := u.put("payments", 2, `{"rps":1}`)
	agent := startAgent(t, program, u.front.URL, t.TempDir(), trustOf(key)...)
	await(t, "the first", func() bool { _, b := peek(agent.address); return b == string(good.Body) })
	u.turn(e)
	await(t, "asked, and not believed", func() bool {
		h, b := peek(agent.address)
		if b != string(good.Body) || h.Get("Herald-Revision") != "2" {
			t.Fatalf("serves %.100q", b)
		}
		return u.asked.Load() > 1 && h.Get("Herald-Stale") == "true"
	})
	next := u.put("payments", 60, `{"rps":2}`)
	asked, began := u.asked.Load(), time.Now()
	u.evil.Store(nil) // what hangs goes on to
	await(t, "the next revision", func() bool { _, b := peek(agent.address); return b == string(next.Body) })
	recovered, memory := time.Since(began), agent.highWater(t)
	t.Logf("%-40s asked %2d times, VmHWM %5.1f MB, recovered after %s", t.Name(), asked, float64(memory)/1024, recovered.Round(time.Millisecond))
	if memory > mostMemory {
		t.Errorf("%d KiB", memory)
	}
	if recovered > hostilePoll+margin {
		t.Errorf("recovered after %s", recovered)
	}
}

func trustOf(key ed25519.PrivateKey) []string {
	if key == nil {
		return []string{"--trust", "none"}
	}
	return []string{"--trust", "first-use"}
}

// An upstream may say "unchanged" to an agent that holds nothing, and may have given
// a body the ETag of the next one: both are found out once it is good again, the
// latter with the answer to the next request, which is held meanwhile.
func TestOutageByALieAboutTheETag(t *testing.T) {
	program := build(t)
	next := sealedAs("payments", "01A", 60, `{"rps":2}`)
	unchanged, lying := status(304), evil(func(w http.ResponseWriter, _ *http.Request, good *config.Snapshot) {
		w.Header().Set("ETag", next.ETag.Quoted(""))
		w.Header().Set("Repr-Digest", good.Digest.Header())
		_, _ = w.Write(good.Body)
	})
	for name, c := range map[string]struct {
		evil  evil
		holds config.Snapshot
	}{
		"304 to one who holds nothing": {evil: unchanged},
		"the ETag of the next one":     {evil: lying, holds: *sealed("payments", "01A", 50)},
	} {
		t.Run(name, func(t *testing.T) {
			u := newTurning(t)
			u.turn(&c.evil)
			const poll = 2 * time.Second
			agent := startAgent(t, program, u.front.URL, t.TempDir(), "--trust", "none", "--poll-interval", poll.String())
			await(t, "asked", func() bool { _, b := peek(agent.address); return u.asked.Load() > 1 && b == string(c.holds.Body) })
			if s := u.put("payments", 60, `{"rps":2}`); s.ETag != next.ETag {
				t.Fatal("the next one is another one")
			}
			began := time.Now()
			u.turn(nil)
			await(t, "the next revision", func() bool { _, b := peek(agent.address); return b == string(next.Body) })
			if recovered := time.Since(began); recovered > poll+poll/5+poll+margin {
				t.Errorf("recovered after %s", recovered)
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
}

// The largest namespace that a controller takes is 8 MiB, and twice that where each
// of its characters is escaped. It costs an agent more than an attack does.
func TestTheLargestBody(t *testing.T) {
	program := build(t)
	u := newTurning(t)
	var entries []config.Entry
	for i := range 8 {
		entries = append(entries, config.Entry{Name: config.Name(fmt.Sprint("text-", i)), Revision: 1, Document: config.Document{
			MediaType: "text/plain", Body: bytes.Repeat([]byte{'"', '\\'}, 1<<19),
		}})
	}
	large := config.Seal("payments", config.Position{Epoch: "01A", Revision: 1}, entries, nil)
	u.mu.Lock() // the process that asks is no goroutine that this happens before
	u.namespaces["payments"] = large
	u.mu.Unlock()
	agent := startAgent(t, program, u.front.URL, t.TempDir(), "--trust", "none")
	await(t, "all of it", func() bool { _, b := peek(agent.address); return b == string(large.Body) })
	memory := agent.highWater(t)
	t.Logf("a body of %.1f MB: VmHWM %.1f MB", float64(len(large.Body))/(1<<20), float64(memory)/1024)
	if memory > largestMemory {
		t.Errorf("%d KiB", memory)
	}
	http.DefaultClient.CloseIdleConnections()
}

// An agentProcess is a real one.
type agentProcess struct {
	*exec.Cmd
	address string
}

func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "agent")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/agent").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func startAgent(t *testing.T, program, upstream, cache string, flags ...string) *agentProcess {
	t.Helper()
	l := listen(t)
	_ = l.Close()
	cmd := exec.Command(program, append([]string{"--listen", l.Addr().String(), "--id", "host-7", "--upstream", upstream,
		"--namespaces", "payments", "--cache-dir", cache, "--poll-interval", hostilePoll.String()}, flags...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &agentProcess{cmd, "http://" + l.Addr().String()}
	t.Cleanup(a.kill)
	return a
}

// kill ends it as a power cut would, and waits until it is gone.
func (a *agentProcess) kill() { _ = a.Process.Kill(); _ = a.Wait() }

// peek returns the agent's snapshot, "" for any other answer.
func peek(address string) (http.Header, string) {
	answer, err := http.Get(address + snapshotPath)
	if err != nil {
		return http.Header{}, ""
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		return answer.Header, ""
	}
	return answer.Header, string(b)
}

func (a *agentProcess) highWater(t *testing.T) (kib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
