package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/services/worker"
)

// A fleet is a controller, an agent and workers in this process.
type fleet struct {
	controller string
	workers    int
	revision   int
	newest     atomic.Int64 // the revision that was acknowledged last
	cancel     context.CancelCauseFunc
	ctx        context.Context
	running    sync.WaitGroup
	folder     string
	http       *http.Client
}

// startController runs a controller, and nothing else yet.
func startController(ctx context.Context, bus string, poll time.Duration) (*fleet, error) {
	folder, err := os.MkdirTemp("", "herald-bench")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	f := &fleet{folder: folder, http: &http.Client{Timeout: 70 * time.Second}}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	silent := slog.New(slog.DiscardHandler)
	f.controller, err = f.start(func(ctx context.Context, l net.Listener) error {
		return controller.Run(ctx, controller.Config{Listener: l, DB: filepath.Join(folder, "controller.db"), Bus: bus, PollInterval: poll}, silent)
	})
	return f, err
}

func startFleet(ctx context.Context, bus string, workers int, poll time.Duration, deaf bool) (*fleet, error) {
	f, err := startController(ctx, bus, poll)
	if err != nil {
		return nil, err
	}
	f.workers = workers
	folder, silent := f.folder, slog.New(slog.DiscardHandler)
	upstream, err := f.hop(f.controller, deaf)
	if err != nil {
		return nil, err
	}
	address, err := f.start(func(ctx context.Context, l net.Listener) error {
		return agent.Run(ctx, agent.Config{Listener: l, ID: "bench", Upstream: []string{upstream}, CacheDir: filepath.Join(folder, "agent"), Bus: bus}, silent)
	})
	if err != nil {
		return nil, err
	}
	if address, err = f.hop(address, deaf); err != nil {
		return nil, err
	}
	for i := range workers {
		id := fmt.Sprintf("worker-%d", i)
		if _, err := f.start(func(ctx context.Context, l net.Listener) error {
			return worker.Run(ctx, worker.Config{
				Listener: l, ID: id, Agent: address, Namespace: "bench", StateDir: filepath.Join(folder, id), Bus: bus, AllowHosts: []string{"127.0.0.1"},
			}, silent)
		}); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// start runs a service at a free port until the fleet stops.
func (f *fleet) start(run func(context.Context, net.Listener) error) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(f.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	f.running.Go(func() {
		if err := run(f.ctx, listener); err != nil {
			f.cancel(err)
		}
	})
	return "http://" + listener.Addr().String(), nil
}

// hop returns the address itself or, where requests must not be held, that of a
// proxy before it which takes the wait preference away.
func (f *fleet) hop(address string, deaf bool) (string, error) {
	if !deaf {
		return address, nil
	}
	target, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("hop: %w", err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("Prefer")
	}}
	return f.start(func(ctx context.Context, l net.Listener) error {
		server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

func (f *fleet) stop() {
	f.cancel(nil)
	f.running.Wait()
	_ = os.RemoveAll(f.folder)
}

// change commits a change and waits until every worker runs on it.
func (f *fleet) change(ctx context.Context, i int) error {
	if _, err := f.put(ctx, i); err != nil {
		return err
	}
	return f.current(ctx)
}

// put commits the i-th change, and returns when it was answered.
func (f *fleet) put(ctx context.Context, i int) (time.Time, error) {
	document := fmt.Appendf(nil, `{"url":"http://127.0.0.1:1/%d"}`, i)
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, f.controller+"/v1/namespaces/bench/configs/fetch", bytes.NewReader(document))
	if err != nil {
		return time.Time{}, fmt.Errorf("put: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	var written struct{ Revision int }
	if err := f.do(request, &written); err != nil {
		return time.Time{}, fmt.Errorf("put: %w", err)
	}
	answered := time.Now()
	f.revision = written.Revision
	return answered, nil
}

// current waits until the controller knows that every worker runs on the newest
// revision.
func (f *fleet) current(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < time.Minute; {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/v1/namespaces/bench/fleet?revision=%d", f.controller, f.revision), nil)
		if err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
		request.Header.Set("Prefer", "wait=10")
		var standing struct {
			Summary struct{ Workers, Current int }
		}
		if err := f.do(request, &standing); err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
		if standing.Summary.Current == f.workers {
			return nil
		}
		if standing.Summary.Workers < f.workers {
			time.Sleep(5 * time.Millisecond) // they are still coming up
		}
	}
	return errors.New("the workers are not current after a minute")
}

func (f *fleet) do(request *http.Request, into any) error {
	answer, err := f.http.Do(request)
	if cause := context.Cause(f.ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("status %s", answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}
