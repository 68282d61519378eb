package agent_test

import (
	"fmt"
	"io"
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

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/shared/config"
)

// An nginx of Debian runs on a file that the agent makes. Good changes reload it,
// bad ones are refused by nginx -t, and a client that asks all the time, each time
// over a new connection, is answered each time.
func TestNginxIsNeverDown(t *testing.T) {
	const rounds = 10
	web := newWebServer(t)
	c := newController(t)
	document := config.Document{MediaType: "text/plain", Body: []byte(web.configuration("revision 1"))}
	c.keep("web", 1, "nginx", document)
	if err := os.WriteFile(web.file, document.Body, 0o644); err != nil {
		t.Fatal(err)
	}
	web.start(t)
	client := web.ask(t)
	settings := write(t, web.folder, "files.yaml", fmt.Sprintf(`
files:
  - to: %[2]s
    from: web/nginx
    check: [nginx, -p, %[1]s, -t, -c, "{}"]
    then: [nginx, -p, %[1]s, -c, %[2]s, -s, reload]
`, web.folder, web.file))
	run(t, agent.Config{Upstream: []string{c.URL}, Templates: settings, TemplateRoots: []string{web.folder}})

	worker := "host-7:" + web.file
	c.await(t, worker, "web", 1)
	for round := range rounds {
		good, bad := config.Revision(2+2*round), config.Revision(3+2*round)
		said := fmt.Sprint("revision ", good)
		c.keep("web", good, "nginx", config.Document{MediaType: "text/plain", Body: []byte(web.configuration(said))})
		if v := c.await(t, worker, "web", good); v.Status != config.Applied {
			t.Fatalf("a good change: %+v", v)
		}
		client.await(t, said)

		broken := strings.Replace(web.configuration("broken"), "server {", "server { listen_to nobody;", 1)
		c.keep("web", bad, "nginx", config.Document{MediaType: "text/plain", Body: []byte(broken)})
		v := c.await(t, worker, "web", bad)
		if v.Status != config.Rejected || v.Code != "check_failed" || !strings.Contains(v.Message, `unknown directive "listen_to"`) {
			t.Fatalf("a bad change: %+v", v)
		}
		if now := read(t, web.file); now != web.configuration(said) {
			t.Fatalf("after a bad change nginx stands on %s", now)
		}
	}
	answered, failed := client.stop()
	t.Logf("%d changes reloaded nginx and %d were refused by nginx -t; a client asked %d times: %d failures", rounds, rounds, answered, len(failed))
	if len(failed) > 0 || answered < 100 {
		t.Errorf("%d answers, and the first failures are %v", answered, failed[:min(3, len(failed))])
	}
}

// keep is put with a document of any kind.
func (c *controller) keep(ns config.Name, revision config.Revision, name config.Name, d config.Document) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.namespaces[ns] = config.Seal(ns, config.Position{Epoch: "01A", Revision: revision}, []config.Entry{{Name: name, Revision: revision, Document: d}}, nil)
	close(c.changed)
	c.changed = make(chan struct{})
}

// await returns the verdict of a worker on a revision.
func (c *controller) await(t *testing.T, worker string, ns config.Name, revision config.Revision) config.Verdict {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case reports := <-c.reports:
			for _, v := range reports.Applied {
				if v.Worker == worker && v.Namespace == ns && v.Revision == revision {
					return v
				}
			}
		case <-late:
			t.Fatalf("%s says nothing of %s revision %d", worker, ns, revision)
		}
	}
}

func write(t *testing.T, folder, name, content string) (path string) {
	t.Helper()
	path = filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// A webServer is a real nginx in a folder of its own.
type webServer struct{ folder, file, address string }

func newWebServer(t *testing.T) *webServer {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Fatal("nginx is needed; deploy/test --tools-only installs it: ", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	folder := t.TempDir()
	return &webServer{folder: folder, file: filepath.Join(folder, "nginx.conf"), address: listener.Addr().String()}
}

func (w *webServer) configuration(answer string) string {
	return fmt.Sprintf(`pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    location / { return 200 "%[3]s"; }
  }
}
`, w.folder, w.address, answer)
}

func (w *webServer) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command("nginx", "-p", w.folder, "-c", w.file, "-e", filepath.Join(w.folder, "error.log"), "-g", "daemon off;")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("nginx ended with %v", err)
		}
	})
	for range 1000 {
		if conn, err := net.Dial("tcp", w.address); err == nil {
			conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nginx does not answer")
}

// An asker asks all the time.
type asker struct {
	stop func() (answered int, failed []string)

	mu    sync.Mutex
	last  string
	heard chan struct{}
}

// ask begins to ask nginx, each time over a new connection.
func (w *webServer) ask(t *testing.T) *asker {
	t.Helper()
	a, quit, done := &asker{heard: make(chan struct{}, 1)}, make(chan struct{}), make(chan struct{})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	answered, failed := 0, []string(nil)
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
			}
			body, err := once(client, "http://"+w.address+"/")
			if err != nil {
				failed = append(failed, err.Error())
				continue
			}
			answered++
			a.mu.Lock()
			a.last = body
			a.mu.Unlock()
			select {
			case a.heard <- struct{}{}:
			default:
			}
		}
	}()
	a.stop = sync.OnceValues(func() (int, []string) {
		close(quit)
		<-done
		return answered, failed
	})
	t.Cleanup(func() { a.stop() })
	return a
}

func once(client *http.Client, url string) (string, error) {
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", answer.Status)
	}
	return string(body), err
}

// await waits until nginx gives that answer.
func (a *asker) await(t *testing.T, answer string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		a.mu.Lock()
		last := a.last
		a.mu.Unlock()
		if last == answer {
			return
		}
		select {
		case <-a.heard:
		case <-late:
			t.Fatalf("nginx still says %q, not %q", last, answer)
		}
	}
}
