package agent_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// A database that begins anew is refused and told as such, until an operator lets
// just that through; and what passed is marked for those below.
func TestAnOperatorLetsThroughWhatIsRefused(t *testing.T) {
	c := newController(t)
	var accepted atomic.Pointer[config.Fetched]
	told := make(chan string, 100) // the ETag of the acceptance in each answer
	former := c.Config.Handler
	c.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := accepted.Load()
		if r.Method != http.MethodPost || r.URL.Path != "/v1/agents" || f == nil {
			former.ServeHTTP(w, r)
			return
		}
		told <- string(f.ETag)
		_ = httpapi.WriteJSON(w, 200, map[string]any{"id": "host-7", "poll_interval_seconds": 1, "namespaces": []string{}, "accepted": []map[string]any{
			{"namespace": f.Namespace, "epoch": f.Epoch, "revision": f.Revision, "etag": f.ETag},
		}})
	})
	first := c.put("payments", 5, `{"rps":1}`)
	url, _ := run(t, agent.Config{Upstream: []string{c.URL}, Namespaces: []string{"payments"}})
	get(t, url+snapshotPath)

	empty := config.Seal("payments", config.Position{Epoch: "01B", Revision: 1}, nil, nil)
	c.mu.Lock()
	c.namespaces["payments"] = empty
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	refusal := awaitReport(t, c, func(f config.Fetched) bool { return f.Status == config.Rejected })
	if refusal.Code != "shrunk" || refusal.Epoch != "01B" || refusal.Revision != 1 || refusal.ETag != empty.ETag || refusal.Message == "" {
		t.Errorf("told %+v", refusal)
	}
	awaitStatus(t, url, `"held":{"epoch":"01B","revision":1,"etag":"`+string(empty.ETag)+`","code":"shrunk"`)
	if _, body := get(t, url+snapshotPath); body != string(first.Body) {
		t.Errorf("served %s", body)
	}

	another := refusal
	another.ETag = "another"
	accepted.Store(&another)
	for range 3 { // who asks for the third time has gone by the second
		<-told
	}
	if _, body := get(t, url+snapshotPath); body != string(first.Body) {
		t.Errorf("another snapshot's acceptance let it through: %s", body)
	}
	accepted.Store(&refusal)
	answer, body := get(t, url+snapshotPath, "If-None-Match", first.ETag.Quoted(""), "Prefer", "wait=20")
	if body != string(empty.Body) || answer.Header.Get("Herald-Accepted") != "true" {
		t.Errorf("accepted, and yet %v %s", answer.Header, body)
	}
	awaitReport(t, c, func(f config.Fetched) bool { return f.Status == "" && f.Epoch == "01B" })
	awaitStatus(t, url, `!"held"`)
}

// awaitReport returns the first report that is so.
func awaitReport(t *testing.T, c *controller, so func(config.Fetched) bool) config.Fetched {
	t.Helper()
	over := time.After(30 * time.Second)
	for {
		select {
		case reports := <-c.reports:
			for _, f := range reports.Fetched {
				if so(f) {
					return f
				}
			}
		case <-over:
			t.Fatal("nothing like that was reported")
		}
	}
}
