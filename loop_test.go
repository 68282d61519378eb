package herald_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/events/eventstest"
	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/services/worker"
)

// A loop is the three services in this process, each at a port of its own.
type loop struct {
	controller, agent string
	workers           []string
}

// startLoop runs a controller, an agent and some workers until the test ends.
func startLoop(t *testing.T, bus string, workers int) loop {
	t.Helper()
	l := loop{}
	poll := 15 * time.Second
	l.controller = background(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return controller.Run(ctx, controller.Config{Listener: listener, DB: filepath.Join(t.TempDir(), "controller.db"), Bus: bus, PollInterval: poll}, log)
	})
	l.agent = background(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
		return agent.Run(ctx, agent.Config{Listener: listener, ID: "host-7", Upstream: []string{l.controller}, CacheDir: t.TempDir(), Bus: bus}, log)
	})
	for i := range workers {
		l.workers = append(l.workers, background(t, func(ctx context.Context, listener net.Listener, log *slog.Logger) error {
			return worker.Run(ctx, worker.Config{
				Listener: listener, ID: fmt.Sprintf("w-%d", i), Agent: l.agent, Namespace: "demo", StateDir: t.TempDir(), Bus: bus,
				AllowHosts: []string{"127.0.0.1"},
			}, log)
		}))
	}
	return l
}

// background runs a service on a free port of loopback and returns its address.
func background(t *testing.T, run func(context.Context, net.Listener, *slog.Logger) error) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, listener, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})))
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("a service ended with %v", err)
			}
		case <-time.After(15 * time.Second):
			t.Error("a service did not stop within 10 s")
		}
	})
	return "http://" + listener.Addr().String()
}

// call makes a request and returns the answer with its body.
func call(t *testing.T, method, url string, body []byte, fields ...string) (*http.Response, []byte) {
	t.Helper()
	answer, content, err := try(t.Context(), method, url, body, fields...)
	if err != nil {
		t.Fatal(err)
	}
	return answer, content
}

func try(ctx context.Context, method, url string, body []byte, fields ...string) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return answer, content, err
}

// put commits a document and returns the revision that it made.
func put(t *testing.T, controller, path, document string) int {
	t.Helper()
	answer, body := call(t, http.MethodPut, controller+"/v1/namespaces/"+path, []byte(document), "Content-Type", "application/json")
	var written struct{ Revision int }
	if err := json.Unmarshal(body, &written); err != nil || answer.StatusCode/100 != 2 {
		t.Fatalf("PUT %s: %d %s", path, answer.StatusCode, body)
	}
	return written.Revision
}

// running is the revision that a worker runs on, 0 for none or no answer.
func running(ctx context.Context, worker string) int {
	var status struct {
		Running *struct{ Revision int }
	}
	_, body, err := try(ctx, http.MethodGet, worker+"/v1/status", nil)
	if err != nil || json.Unmarshal(body, &status) != nil || status.Running == nil {
		return 0
	}
	return status.Running.Revision
}

// await asks until something is so, or fails the test after a while.
func await(t *testing.T, while time.Duration, what string, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > while {
			t.Fatalf("after %s still not: %s", while, what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return time.Since(began)
}

// documents are the corpus of real configuration files, beside the project or
// where HERALD_CORPUS says; without one, documents of our own.
func documents(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{
		"own/spaced":  []byte(" \t{ \"b\" : 1.50, \"a\" : -0e+7 ,\"é\":\"\\u00e9\" }\r\n\n"),
		"own/scalar":  []byte("  42 \n"),
		"own/nested":  []byte(strings.Repeat("[", 100) + strings.Repeat("]", 100)),
		"own/largest": []byte(`"` + strings.Repeat("x", 1<<20-2) + `"`),
	}
	folder := os.Getenv("HERALD_CORPUS")
	if folder == "" {
		folder = filepath.Join("..", "shared", "corpus")
		if _, err := os.Stat(folder); err != nil {
			t.Log("no corpus beside the project and none named by HERALD_CORPUS: documents of our own alone")
			return found
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*", "ok-*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no ok-* file in %s: %v", folder, err)
	}
	for _, file := range files {
		if found["corpus/"+filepath.Base(filepath.Dir(file))+"."+strings.TrimSuffix(filepath.Base(file), ".json")], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// TestRealDocumentsPassByteForByte puts every document, pulls it through an agent
// as it was written, and is answered 304 afterwards.
func TestRealDocumentsPassByteForByte(t *testing.T) {
	l := startLoop(t, "", 0)
	all := documents(t)
	newest := map[string]int{}
	for key, document := range all {
		namespace, name, _ := strings.Cut(strings.ToLower(key), "/")
		newest[namespace] = put(t, l.controller, namespace+"/configs/"+name, string(document))
	}
	for key, document := range all {
		namespace, name, _ := strings.Cut(strings.ToLower(key), "/")
		url := l.agent + "/v1/namespaces/" + namespace + "/configs/" + name
		answer, body := call(t, http.MethodGet, url, nil)
		if answer.StatusCode != http.StatusOK || !bytes.Equal(body, document) {
			t.Errorf("%s: %d, %d bytes of %d", key, answer.StatusCode, len(body), len(document))
			continue
		}
		if answer, body := call(t, http.MethodGet, url, nil, "If-None-Match", answer.Header.Get("ETag")); answer.StatusCode != http.StatusNotModified || len(body) != 0 {
			t.Errorf("%s: %d with %d bytes, want 304", key, answer.StatusCode, len(body))
		}
	}
	for namespace := range newest {
		url := "/v1/namespaces/" + namespace + "/snapshot"
		at, near := call(t, http.MethodGet, l.controller+url, nil)
		_, far := call(t, http.MethodGet, l.agent+url, nil)
		if !bytes.Equal(near, far) {
			t.Errorf("the snapshot of %s differs on the way", namespace)
		}
		if answer, _ := call(t, http.MethodGet, l.agent+url, nil, "If-None-Match", at.Header.Get("ETag")); answer.StatusCode != http.StatusNotModified {
			t.Errorf("the snapshot of %s: %d, want 304", namespace, answer.StatusCode)
		}
	}
	t.Logf("%d documents", len(all))
}

// TestRedisDiesInTheMiddle kills Redis in the middle of 100 changes and restarts
// it empty: every worker is current at the end, and nothing else was restarted.
func TestRedisDiesInTheMiddle(t *testing.T) {
	for _, scheme := range []string{"redis", "redis+pubsub"} {
		t.Run(scheme, func(t *testing.T) {
			redis := eventstest.Redis(t)
			l := startLoop(t, scheme+"://"+redis.Addr(), 3)
			last := 0
			for i := range 100 {
				last = put(t, l.controller, "demo/configs/fetch", fmt.Sprintf(`{"url":"http://127.0.0.1:1/%d"}`, i))
				switch i {
				case 30:
					redis.Kill()
				case 70:
					redis.Start()
				}
			}
			slowest := allRunOn(t, l, last)
			t.Logf("current %s after the last change", slowest)
			// And the bus works again: the next change is there at once.
			last = put(t, l.controller, "demo/configs/fetch", `{"url":"http://127.0.0.1:1/last"}`)
			allRunOn(t, l, last)
		})
	}
}

func allRunOn(t *testing.T, l loop, revision int) (slowest time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, w := range l.workers {
		all.Go(func() {
			began := time.Now()
			for running(t.Context(), w) < revision && time.Since(began) < 20*time.Second {
				time.Sleep(5 * time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(began))
		})
	}
	all.Wait()
	for i, w := range l.workers {
		if got := running(t.Context(), w); got < revision {
			t.Fatalf("worker %d runs on %d, want %d", i, got, revision)
		}
	}
	return slowest
}
