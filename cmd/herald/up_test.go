package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/client"
)

// greeting is where herald up says that the controller is.
var greeting = regexp.MustCompile(`controller  (http://[0-9.:]+)`)

// startUp runs herald up until stop is called, and returns its controller's client
// once all three services are up.
func startUp(t *testing.T, u *upper) (c *client.Client, stop func()) {
	t.Helper()
	u.token, u.logLevel = func() string { return "" }, "error"
	u.listen = [3]string{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"}
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- u.run(ctx, in, io.Discard)
		_ = in.Close()
	}()
	var said []byte
	for part := make([]byte, 1024); !greeting.Match(said); {
		n, err := out.Read(part)
		if said = append(said, part[:n]...); err != nil {
			t.Fatalf("%v: %v; it said %s", err, <-ended, said)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	c, err := client.New(string(greeting.FindSubmatch(said)[1]), "")
	if err != nil {
		t.Fatal(err)
	}
	return c, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestTheWorkerIsBackInTheFleetAtOnce(t *testing.T) {
	u := &upper{dataDir: t.TempDir(), pollInterval: 15 * time.Second}
	_, stop := startUp(t, u)
	stop()
	for range 3 {
		c, stop := startUp(t, u)
		began := time.Now()
		for {
			var fleet client.Fleet
			if _, err := c.Get(t.Context(), "/v1/namespaces/demo/fleet", &fleet); err != nil {
				t.Fatal(err)
			}
			if fleet.Summary.Current == 1 {
				break
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("the fleet has %+v", fleet.Summary)
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Logf("back after %s", time.Since(began))
		stop()
	}
}

func TestUpMakesFiles(t *testing.T) {
	folder := t.TempDir()
	made, templates := filepath.Join(folder, "motd"), filepath.Join(t.TempDir(), "files.yaml")
	if err := os.WriteFile(templates, []byte("files:\n  - to: "+made+"\n    from: web/motd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, stop := startUp(t, &upper{dataDir: t.TempDir(), pollInterval: time.Second, templates: templates, roots: []string{folder}})
	defer stop()
	header := http.Header{"Content-Type": {"text/plain"}}
	if _, err := c.Do(t.Context(), client.Request{Method: http.MethodPut, Path: "/v1/namespaces/web/configs/motd", Header: header, Body: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		content, err := os.ReadFile(made)
		if err == nil && string(content) == "hello" {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%q, %v", content, err)
		}
	}
}
