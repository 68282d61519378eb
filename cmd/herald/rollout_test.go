package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/settings"
)

// A crowd is 200 workers of one agent that report to a real controller: two of
// them, picky-1 and picky-2, reject whatever says "bad", one has stopped, and slow
// takes a revision only when it is let.
type crowd struct {
	t       *testing.T
	server  string
	api     *client.Client
	dropped chan struct{} // closed once slow may go on
}

const crowdSize = 200

func newCrowd(t *testing.T) *crowd {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	s := run(func(ctx context.Context) error {
		return controller.Run(ctx, controller.Config{
			DB: filepath.Join(folder, "controller.db"), PollInterval: time.Minute, Version: "test", Listener: listener,
		}, slog.New(slog.DiscardHandler))
	})
	t.Cleanup(func() { _ = s.end() })
	c := &crowd{t: t, server: "http://" + listener.Addr().String(), dropped: make(chan struct{})}
	if c.api, err = client.New(c.server, ""); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crowd) names() []string {
	names := []string{"picky-1", "picky-2", "gone", "slow"}
	for i := len(names); i < crowdSize; i++ {
		names = append(names, fmt.Sprintf("w-%03d", i))
	}
	return names
}

// follow has the crowd take each revision until the test ends.
func (c *crowd) follow() {
	held := config.ETag("")
	for c.t.Context().Err() == nil {
		snapshot, err := c.api.Snapshot(c.t.Context(), "payments", held, 10*time.Second)
		if err != nil || snapshot == nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		held = snapshot.ETag
		c.take(snapshot)
	}
}

func (c *crowd) take(snapshot *config.Snapshot) {
	entry, _ := snapshot.Config("limits")
	bad := bytes.Contains(entry.Document.Body, []byte("bad"))
	var reports config.Reports
	for _, name := range c.names() {
		v := config.Verdict{
			Worker: name, Agent: "host-1", Namespace: "payments", Revision: snapshot.Revision, Epoch: snapshot.Epoch, Status: config.Applied, At: time.Now(),
		}
		switch {
		case name == "gone" && snapshot.Revision > 1:
			continue
		case name == "slow" && snapshot.Revision > 1:
			go func() {
				<-c.dropped
				c.tell(config.Reports{Applied: []config.Verdict{v}})
			}()
			continue
		case strings.HasPrefix(name, "picky") && bad:
			v.Status, v.Code, v.Message = config.Rejected, "validate", "\x1b[2Jno "+name+" way"
		}
		reports.Applied = append(reports.Applied, v)
	}
	if snapshot.Revision == 1 {
		reports.Stopped = []config.Stopped{{Worker: "gone", Agent: "host-1", Namespace: "payments", At: time.Now().Add(time.Millisecond)}}
	}
	c.tell(reports)
}

func (c *crowd) tell(reports config.Reports) {
	body, err := json.Marshal(reports)
	if err != nil {
		c.t.Error(err)
	}
	if answer, err := http.Post(c.server+"/v1/agents/host-1/reports", "application/json", bytes.NewReader(body)); err == nil {
		_ = answer.Body.Close()
	}
}

// herald runs the tool in this process.
func (c *crowd) herald(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, said bytes.Buffer
	cmd := root()
	cmd.SetArgs(append([]string{"--server", c.server}, args...))
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&said)
	code = settings.Main(cmd, exitCode)
	return code, out.String(), said.String()
}

func TestWaitForTwoHundredWorkers(t *testing.T) {
	c := newCrowd(t)
	if code, _, said := c.herald(`{"rps":1}`, "put", "payments/limits"); code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	go c.follow()
	for _, step := range []struct {
		name, document string
		args           []string
		code           int
		said           []string
	}{
		{"all that live", `{"rps":1}`, []string{"--wait", "100%", "--timeout", "1m"}, 0, []string{"199 of 199 live workers run on revision 1"}},
		{"the rest is enough", `{"rps":"bad 2"}`, []string{"--wait", "98%", "--timeout", "1m"}, 0, []string{"196 of 199 live workers run on revision 2, 2 refused it"}},
		{
			"too many refuse, and it ends at once", `{"rps":"bad 3"}`, []string{"--wait", "99%", "--timeout", "1h"}, 6,
			[]string{"  picky-1 is rejected, on revision 1: validate: \uFFFD[2Jno picky-1 way\n", "  picky-2 is rejected, on revision 1: validate: ", "2 of 199 live workers refused it, 99% wanted"},
		},
		{
			"one is too slow", `{"rps":"bad 4"}`, []string{"--wait", "98.9%", "--timeout", "2s"}, 6,
			[]string{"  slow is behind, on revision 1\n", "  picky-1 is rejected, on revision 1: ", "within 2s: 196 of 199 live workers, 98.9% wanted"},
		},
		{
			"taken back", `{"rps":"bad 5"}`, []string{"--wait", "100%", "--timeout", "1h", "--on-reject", "rollback"}, 6,
			[]string{"revision 5 is taken back: payments stands at revision 6, as before it", "2 of 199 live workers refused it, 100% wanted", "revision 5 was taken back by revision 6"},
		},
	} {
		code, _, said := c.herald(step.document, append([]string{"put", "payments/limits"}, step.args...)...)
		if code != step.code {
			t.Fatalf("%s: code %d\n%s", step.name, code, said)
		}
		for _, want := range step.said {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not in:\n%s", step.name, want, said)
			}
		}
		if strings.Contains(said, "gone") || strings.Contains(said, "\x1b") {
			t.Errorf("%s: names who has stopped, or lets an escape through:\n%s", step.name, said)
		}
	}
	if _, document, _ := c.herald("", "get", "payments/limits"); document != `{"rps":"bad 4"}` {
		t.Errorf("what was taken back left %s", document)
	}
	close(c.dropped)
	if code, _, said := c.herald(`{"rps":7}`, "put", "payments/limits", "--wait", "100%", "--timeout", "1m"); code != 0 {
		t.Errorf("all are mended: %d\n%s", code, said)
	}
}
