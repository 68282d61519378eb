package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/heraldconf/herald/events/eventstest"
	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// patience is how long a script waits for what must happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"herald": main}) }

// Each script has a controller of its own, which HERALD_SERVER names.
func TestScripts(t *testing.T) {
	scripts := &stage{t: t}
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "script"),
		Setup: scripts.setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"until":      until,
			"begin":      begin,
			"says":       says,
			"ended":      ended,
			"end":        end,
			"controller": runController,
			"agent":      runAgent,
			"worker":     tellVerdict,
			"fake":       fake,
			"redis":      scripts.redis,
			"bytes":      makeBytes,
			"etag":       keepETag,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

type stage struct{ t *testing.T }

// A service is one that runs in the test's process.
type service struct {
	stop context.CancelFunc
	done chan error
}

func run(serve func(context.Context) error) *service {
	ctx, cancel := context.WithCancel(context.Background())
	s := &service{stop: cancel, done: make(chan error, 1)}
	go func() { s.done <- serve(ctx) }()
	return s
}

func (s *service) end() error {
	s.stop()
	return <-s.done
}

// A world is what one script has around it.
type world struct {
	dir        string
	address    string
	controller *service
	processes  map[string]*process
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func (s *stage) setup(env *testscript.Env) error {
	w := &world{dir: env.WorkDir, processes: map[string]*process{}}
	env.Values[worldKey{}] = w
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.address = listener.Addr().String()
	w.start(listener)
	env.Defer(func() {
		for _, p := range w.processes {
			_ = p.cmd.Process.Kill()
		}
		if w.controller != nil {
			_ = w.controller.end()
		}
	})
	env.Setenv("HERALD_SERVER", "http://"+w.address)
	return nil
}

func (w *world) start(listener net.Listener) {
	w.controller = run(func(ctx context.Context) error {
		return controller.Run(ctx, controller.Config{
			DB: filepath.Join(w.dir, ".controller", "controller.db"), PollInterval: 15 * time.Second, Version: "test", Listener: listener,
		}, slog.New(slog.DiscardHandler))
	})
}

// controller stop|start: the same address and database.
func runController(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	switch strings.Join(args, " ") {
	case "stop":
		ts.Check(w.controller.end())
		w.controller = nil
	case "start":
		listener, err := net.Listen("tcp", w.address)
		ts.Check(err)
		w.start(listener)
	default:
		ts.Fatalf("usage: controller stop|start")
	}
}

// agent ID NAMESPACE: a real agent of the controller, until the script ends.
func runAgent(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := run(func(ctx context.Context) error {
		return agent.Run(ctx, agent.Config{
			Upstream: []string{ts.Getenv("HERALD_SERVER")}, ID: args[0], Namespaces: args[1:],
			CacheDir: ts.MkAbs("." + args[0]), Listener: listener, Version: "test",
		}, slog.New(slog.DiscardHandler))
	})
	ts.Defer(func() { ts.Check(s.end()) })
	ts.Setenv("AGENT", "http://"+listener.Addr().String())
}

// worker ID NAMESPACE REVISION applied|rejected [CODE MESSAGE]: a verdict, sent as
// a worker's agent sends it.
func tellVerdict(ts *testscript.TestScript, _ bool, args []string) {
	revision, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	verdict := config.Verdict{
		Worker: args[0], Agent: "host-1", Namespace: config.Name(args[1]), Revision: config.Revision(revision), Status: config.Status(args[3]), At: time.Now(),
	}
	answer, err := http.Get(ts.Getenv("HERALD_SERVER") + "/v1/status")
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	ts.Check(json.NewDecoder(answer.Body).Decode(&struct {
		Epoch *config.Epoch `json:"epoch"`
	}{&verdict.Epoch}))
	if len(args) > 4 {
		verdict.Code, verdict.Message = args[4], args[5]
	}
	post(ts, "/v1/agents", map[string]any{"id": "host-1"})
	post(ts, "/v1/agents/host-1/reports", config.Reports{Applied: []config.Verdict{verdict}})
}

func post(ts *testscript.TestScript, path string, value any) {
	body, err := json.Marshal(value)
	ts.Check(err)
	answer, err := http.Post(ts.Getenv("HERALD_SERVER")+path, "application/json", bytes.NewReader(body))
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode/100 != 2 {
		said, _ := io.ReadAll(answer.Body)
		ts.Fatalf("POST %s: %s: %s", path, answer.Status, said)
	}
}

// fake STATUS CODE DETAIL: HERALD_SERVER becomes one that answers all with that
// problem.
func fake(ts *testscript.TestScript, _ bool, args []string) {
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		httpapi.WriteProblem(w, httpapi.NewProblem(status, args[1], args[2]))
	}))
	ts.Defer(server.Close)
	ts.Setenv("HERALD_SERVER", server.URL)
}

// redis [+pubsub]: HERALD_BUS becomes a real one.
func (s *stage) redis(ts *testscript.TestScript, _ bool, args []string) {
	url := eventstest.Redis(s.t).URL()
	if len(args) > 0 {
		url = strings.Replace(url, "redis:", "redis"+args[0]+":", 1)
	}
	ts.Setenv("HERALD_BUS", url)
}

// bytes FILE SIZE: a file of that many bytes, all values among them.
func makeBytes(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), body, 0o600))
}

// etag: ETAG becomes the one in the last command's JSON.
func keepETag(ts *testscript.TestScript, _ bool, _ []string) {
	var said struct {
		ETag string `json:"etag"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &said))
	ts.Setenv("ETAG", said.ETag)
}

// exits CODE COMMAND…: runs it and sees it end with that code and, unless it is 0,
// with one line of an error on standard error, after what else stands there.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("it ended with code %d", code)
	}
	if said := ts.ReadFile("stderr"); code != 0 && strings.Count(said, "herald: ") != 1 {
		ts.Fatalf("not one line that says what is wrong: %q", said)
	}
}

// until REGEXP COMMAND…: runs it again and again until its output matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	wanted := regexp.MustCompile(args[0])
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && wanted.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no output like %s within %s", args[0], patience)
		}
	}
}

// A process runs behind the script.
type process struct {
	cmd    *exec.Cmd
	exited chan error

	mu     sync.Mutex
	output bytes.Buffer
	grown  chan struct{} // has a signal whenever there is more
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.grown <- struct{}{}:
	default:
	}
	return p.output.Write(b)
}

// said is what was not forgotten yet.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// begin NAME COMMAND…: a process whose output is read with says.
func begin(ts *testscript.TestScript, _ bool, args []string) {
	p := &process{cmd: exec.Command(args[1], args[2:]...), grown: make(chan struct{}, 1), exited: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HERALD_SERVER", "HERALD_BUS"} {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(p.cmd.Start())
	go func() { p.exited <- p.cmd.Wait() }()
	worldOf(ts).processes[args[0]] = p
}

// says NAME REGEXP: waits for a line of the process, and forgets it and those
// before it.
func says(ts *testscript.TestScript, _ bool, args []string) {
	p := worldOf(ts).processes[args[0]]
	wanted := regexp.MustCompile("(?m)^.*" + args[1] + ".*\n")
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		found := wanted.FindIndex(p.output.Bytes())
		if found != nil {
			ts.Logf("%s says: %s", args[0], p.output.Next(found[1]))
		}
		p.mu.Unlock()
		if found != nil {
			return
		}
		select {
		case <-p.grown:
		case <-timeout:
			ts.Fatalf("%s says no line like %s, but: %s", args[0], args[1], p.said())
		}
	}
}

// end NAME: interrupts the process, as Ctrl-C does, and sees it end with 0.
func end(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(worldOf(ts).processes[args[0]].cmd.Process.Signal(os.Interrupt))
	ended(ts, neg, args)
}

// ended NAME: sees the process end with 0.
func ended(ts *testscript.TestScript, _ bool, args []string) {
	p := worldOf(ts).processes[args[0]]
	select {
	case err := <-p.exited:
		if err != nil {
			ts.Fatalf("%s ended with %v: %s", args[0], err, p.said())
		}
	case <-time.After(patience):
		ts.Fatalf("%s did not end", args[0])
	}
}

// Every exit code that there is now is provoked by a script.
func TestScriptsProvokeEveryExitCode(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	var seen []string
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^exits (\d) `).FindAllStringSubmatch(string(text), -1) {
			seen = append(seen, match[1])
		}
	}
	for code := range 9 {
		if !slices.Contains(seen, fmt.Sprint(code)) {
			t.Errorf("no script ends a herald with code %d", code)
		}
	}
}
