// Package worker is the reference application: it runs on one config, makes the
// request that the config describes, and tells what it runs on. This package is
// its wiring, one straight line; what it does is in usecase, and how a worker
// follows its config in shared/sdk.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/worker/domain"
	"github.com/heraldconf/herald/services/worker/gateway"
	"github.com/heraldconf/herald/services/worker/handler"
	"github.com/heraldconf/herald/services/worker/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/sdk"
	"github.com/heraldconf/herald/shared/settings"
	"github.com/heraldconf/herald/shared/telemetry"
	"github.com/heraldconf/herald/shared/trust"
)

// Target is the name of the config that a worker runs on, in its namespace.
const Target = "fetch"

// Config is a worker's settings.
type Config struct {
	Listen         string
	Agent          string
	Namespace      string
	ID             string // "" = host name
	StateDir       string
	Bus            string        // "" = none
	Token          string        // sent to the agent
	PollInterval   time.Duration // 0 = what the agent says
	Trust          string        // a file of the keys whose signatures count; "" or none = the agent's word is enough
	AllowHosts     []string
	AllowAnonymous bool
	Version        string
	Listener       net.Listener // already open; nil = open Listen
}

// Run runs a worker until ctx ends. Settings that it refuses are errors that wrap
// settings.ErrUsage.
func Run(ctx context.Context, c Config, logger *slog.Logger) (err error) {
	namespace, hosts, err := c.check()
	if err != nil {
		return settings.Usagef("%w", err)
	}
	keys, err := trust.ParseKeys(c.Trust)
	if err != nil {
		return settings.Usagef("--trust: %w", err)
	}
	logger = logger.With("service", "worker")
	listener := c.Listener
	if listener == nil {
		if listener, err = httpapi.Listen(ctx, c.Listen, c.AllowAnonymous, "an explicit --allow-anonymous"); err != nil {
			return settings.Usagef("--listen: %w", err)
		}
	}
	notifications, err := bus.Open(c.Bus, logger)
	if err != nil {
		return errors.Join(settings.Usagef("--bus: %w", err), listener.Close())
	}
	defer func() { err = errors.Join(err, notifications.Close()) }()

	watcher, err := sdk.Watch(ctx, c.Namespace+"/"+Target, sdk.Options[domain.Target]{
		Agent: c.Agent, Token: c.Token, Worker: c.ID, StateDir: c.StateDir, Interval: c.PollInterval,
		Trust: keys, Decode: decoder(hosts), Link: handler.NewLink(notifications, namespace, logger), Logger: logger,
	})
	if err != nil {
		return errors.Join(settings.Usagef("--state-dir: %w", err), listener.Close())
	}
	defer func() { err = errors.Join(err, watcher.Close()) }()
	client := gateway.NewClient(hosts, net.DefaultResolver)
	defer client.Close()

	ways := &handler.Handler{
		Hits:    &usecase.Hits{Running: watcher, Requester: client},
		Watcher: watcher, Bus: notifications, Metrics: telemetry.NewRegistry(),
	}
	logger.Info("worker listens", "address", "http://"+listener.Addr().String(), "worker", watcher.Status().Worker,
		"agent", c.Agent, "namespace", namespace, "bus", notifications.State(), "version", c.Version)
	return httpapi.NewServer().Serve(ctx, listener, ways.Routes(), logger)
}

// decoder reads targets. The media type is JSON's, or the config is none.
func decoder(hosts domain.Hosts) func([]byte, string) (domain.Target, error) {
	return func(document []byte, mediaType string) (domain.Target, error) {
		if (config.Document{MediaType: mediaType}).Kind() != config.JSON {
			return domain.Target{}, fmt.Errorf("%w: it is %s, and must be JSON", domain.ErrDecode, mediaType)
		}
		return domain.ParseTarget(document, hosts)
	}
}

// check returns what the settings mean, or what is wrong with them.
func (c Config) check() (config.Name, domain.Hosts, error) {
	namespace, err := config.ParseName(c.Namespace)
	if err != nil {
		return "", domain.Hosts{}, fmt.Errorf("--namespace: %w", err)
	}
	if c.ID != "" {
		if err := config.CheckWorkerID(c.ID); err != nil {
			return "", domain.Hosts{}, fmt.Errorf("--id: %w", err)
		}
	}
	if err := sdk.CheckAgent(c.Agent); err != nil {
		return "", domain.Hosts{}, fmt.Errorf("--agent: %w", err)
	}
	if err := sdk.CheckInterval(c.PollInterval); err != nil {
		return "", domain.Hosts{}, fmt.Errorf("--poll-interval: %w", err)
	}
	hosts, err := domain.ParseHosts(c.AllowHosts)
	if err != nil {
		return "", domain.Hosts{}, fmt.Errorf("--allow-hosts: %w", err)
	}
	return namespace, hosts, nil
}
