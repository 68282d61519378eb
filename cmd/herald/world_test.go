package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/heraldconf/herald/events/eventstest"
	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/services/worker"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

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
	interval   time.Duration // of the controller
	controller *service
	agents     map[string]*agentService
	processes  map[string]*process
}

// An agentService is one that may stand at its address again.
type agentService struct {
	address string
	service *service // nil while it is stopped
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func (s *stage) setup(env *testscript.Env) error {
	w := &world{dir: env.WorkDir, interval: 15 * time.Second, agents: map[string]*agentService{}, processes: map[string]*process{}}
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
			DB: filepath.Join(w.dir, ".controller", "controller.db"), PollInterval: w.interval, Version: "test", Listener: listener,
		}, slog.New(slog.DiscardHandler))
	})
}

// controller stop|start [INTERVAL]: the same address and database; how often to poll.
func runController(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	switch args[0] {
	case "stop":
		ended := w.controller
		w.controller = nil
		ts.Check(ended.end())
	case "start":
		if len(args) > 1 {
			interval, err := time.ParseDuration(args[1])
			ts.Check(err)
			w.interval = interval
		}
		listener, err := net.Listen("tcp", w.address)
		ts.Check(err)
		w.start(listener)
	default:
		ts.Fatalf("usage: controller stop|start [INTERVAL]")
	}
}

// agent ID [NAMESPACE]: a real agent of HERALD_UPSTREAM, or else of the controller, until
// it is stopped or the script ends; where it stood before. Where the script has a
// files.yaml, the agent makes these files, in the folder made.
func runAgent(ts *testscript.TestScript, _ bool, args []string) {
	known, ok := worldOf(ts).agents[args[0]]
	if !ok {
		known = &agentService{address: "127.0.0.1:0"}
		worldOf(ts).agents[args[0]] = known
	}
	listener, err := net.Listen("tcp", known.address)
	ts.Check(err)
	known.address = listener.Addr().String()
	settings := agent.Config{
		Upstream: []string{cmp.Or(ts.Getenv("HERALD_UPSTREAM"), ts.Getenv("HERALD_SERVER"))}, ID: args[0], Namespaces: args[1:],
		CacheDir: ts.MkAbs("." + args[0]), Listener: listener, Version: "test",
	}
	if files, err := os.ReadFile(ts.MkAbs("files.yaml")); err == nil {
		settings.Templates, settings.TemplateRoots = ts.MkAbs("files.yaml"), []string{ts.MkAbs("made")}
		ts.Check(os.WriteFile(settings.Templates, bytes.ReplaceAll(files, []byte("$WORK"), []byte(ts.Getenv("WORK"))), 0o600))
	}
	known.service = run(func(ctx context.Context) error { return agent.Run(ctx, settings, slog.New(slog.DiscardHandler)) })
	if !ok {
		ts.Defer(func() { ts.Check(known.end()) })
	}
	ts.Setenv("AGENT", "http://"+known.address)
}

func (a *agentService) end() error {
	if a.service == nil {
		return nil
	}
	defer func() { a.service = nil }()
	return a.service.end()
}

// stopped ID: stops an agent.
func stopAgent(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(worldOf(ts).agents[args[0]].end())
}

// worker ID NAMESPACE: a real worker of the agent that was started last.
func runWorker(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	settings := worker.Config{
		Agent: ts.Getenv("AGENT"), ID: args[0], Namespace: args[1], AllowHosts: []string{"127.0.0.1"},
		StateDir: ts.MkAbs("." + args[0]), Listener: listener, Version: "test",
	}
	s := run(func(ctx context.Context) error { return worker.Run(ctx, settings, slog.New(slog.DiscardHandler)) })
	ts.Defer(func() { ts.Check(s.end()) })
}

// verdict ID NAMESPACE REVISION applied|rejected [CODE MESSAGE]: a verdict, sent as
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
