package herald_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/services/worker"
)

// TestLoopWithTokens: a controller hands out tokens, agent and worker bring theirs,
// and a change arrives. Once the agent's is revoked it fetches no more, and its
// workers run on.
func TestLoopWithTokens(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	keeper := background(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return controller.Run(ctx, controller.Config{
			Listener: listener, DB: filepath.Join(t.TempDir(), "c.db"), PollInterval: time.Second, BootstrapDir: tokens,
		}, log)
	})
	token := func(name string) string {
		var text []byte
		await(t, 10*time.Second, name+".token", func() bool {
			var err error
			text, err = os.ReadFile(filepath.Join(tokens, name+".token"))
			return err == nil
		})
		return strings.TrimSpace(string(text))
	}
	bearer := func(name string) string { return "Bearer " + token(name) }
	config := func(body string) int {
		answer, said := call(t, http.MethodPut, keeper+"/v1/namespaces/demo/configs/fetch", []byte(body), "Authorization", bearer("publisher"))
		var done struct{ Revision int }
		if err := json.Unmarshal(said, &done); err != nil || answer.StatusCode/100 != 2 {
			t.Fatalf("%s: %s", answer.Status, said)
		}
		return done.Revision
	}
	host := background(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return agent.Run(ctx, agent.Config{
			Listener: listener, ID: "host-7", Upstream: []string{keeper}, CacheDir: t.TempDir(), Token: token("agent"), AcceptTokens: []string{token("worker")},
		}, log)
	})
	program := background(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return worker.Run(ctx, worker.Config{
			Listener: listener, ID: "w-1", Agent: host, Namespace: "demo", StateDir: t.TempDir(), AllowHosts: []string{"127.0.0.1"}, Token: token("worker"),
		}, log)
	})
	runsOn := func(revision int) bool {
		_, said := call(t, http.MethodGet, program+"/v1/status", nil)
		var status struct{ Running *struct{ Revision int } }
		return json.Unmarshal(said, &status) == nil && status.Running != nil && status.Running.Revision == revision
	}
	revision := config(`{"url":"http://127.0.0.1:1/a"}`)
	await(t, 10*time.Second, "the worker runs on it", func() bool { return runsOn(revision) })
	await(t, 10*time.Second, "the fleet says so", func() bool {
		_, said := call(t, http.MethodGet, keeper+"/v1/namespaces/demo/fleet", nil, "Authorization", bearer("publisher"))
		return strings.Contains(string(said), `"current":1`)
	})
	_, said := call(t, http.MethodGet, keeper+"/v1/tokens", nil, "Authorization", bearer("admin"))
	var listed struct{ Tokens []struct{ ID, Name string } }
	if err := json.Unmarshal(said, &listed); err != nil {
		t.Fatal(err)
	}
	for _, each := range listed.Tokens {
		if each.Name == "agent" {
			call(t, http.MethodDelete, keeper+"/v1/tokens/"+each.ID, nil, "Authorization", bearer("admin"))
		}
	}
	config(`{"url":"http://127.0.0.1:1/b"}`)
	await(t, 10*time.Second, "the agent serves what it has, and says that it is stale", func() bool {
		answer, _ := call(t, http.MethodGet, host+"/v1/namespaces/demo/snapshot", nil)
		return answer.StatusCode == http.StatusOK && answer.Header.Get("Herald-Stale") == "true" && answer.Header.Get("Herald-Revision") == "1"
	})
	if !runsOn(revision) {
		t.Error("the worker does not run on")
	}
}
