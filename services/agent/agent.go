// Package agent is the service on each host: it follows namespaces, keeps them on
// disk, and serves them to workers and to other agents. This package is its
// wiring, one straight line; what it does is in usecase.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/gateway"
	"github.com/heraldconf/herald/services/agent/handler"
	"github.com/heraldconf/herald/services/agent/repository"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/lastgood"
	"github.com/heraldconf/herald/shared/settings"
	"github.com/heraldconf/herald/shared/telemetry"
)

// Config is an agent's settings.
type Config struct {
	Listen         string
	Upstream       []string // a controller or agents, tried in order
	Namespaces     []string // followed from the start
	ID             string   // "" = host name
	Labels         []string // KEY=VALUE
	CacheDir       string
	Bus            string        // "" = none
	PollInterval   time.Duration // 0 = what upstream says
	Token          string        // sent upstream
	AcceptTokens   []string      // what callers beyond loopback must bring
	AllowAnonymous bool
	Version        string
	Listener       net.Listener // already open; nil = open Listen
}

// Run runs an agent until ctx ends. Settings that it refuses are errors that wrap
// settings.ErrUsage.
func Run(ctx context.Context, c Config, logger *slog.Logger) (err error) {
	profile, namespaces, err := c.check()
	if err != nil {
		return settings.Usagef("%w", err)
	}
	logger = logger.With("service", "agent", "agent", profile.ID)
	parts, err := c.open(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()

	upstream := gateway.NewUpstream(gateway.Options{
		Addresses: c.Upstream, ID: profile.ID, Token: c.Token, Interval: c.PollInterval,
		Hold: func() bool { return parts.bus.State() != bus.OK },
	})
	defer upstream.Close()
	reporter := usecase.NewReporter(upstream, logger)
	announcer := usecase.NewAnnouncer(parts.bus, logger)
	syncer := usecase.NewSyncer(upstream, repository.NewCache(parts.folder, logger), tell(profile.ID, announcer, reporter), logger)
	if err := errors.Join(syncer.Remember(), syncer.Follow(namespaces...)); err != nil {
		return err
	}
	registrar := &usecase.Registrar{Controller: upstream, Syncer: syncer, Profile: profile, Logger: logger}

	server := httpapi.NewServer()
	ways := &handler.Handler{
		ID: profile.ID, Syncer: syncer, Reporter: reporter, Upstream: upstream, Bus: parts.bus, Required: namespaces,
		Tokens: c.AcceptTokens, Draining: server.Draining(), Metrics: telemetry.NewRegistry(),
	}
	routes := ways.Routes()
	parts.bus.OnState(ways.BusChanged)

	stop := background(ctx, syncer.Run, reporter.Run, announcer.Run, registrar.Run, func(ctx context.Context) {
		if err := parts.bus.Serve(ctx, ways.BusRoutes()...); err != nil && ctx.Err() == nil {
			logger.Error("the bus is no longer heard; polling goes on", "error", err)
		}
	})
	defer stop()
	c.announce(logger, parts, syncer)
	return server.Serve(ctx, parts.listener, routes, logger)
}

// parts are what an agent opens, and closes at the end.
type parts struct {
	folder   *lastgood.Folder
	listener net.Listener
	bus      *bus.Bus
}

// open opens them all, or none.
func (c Config) open(ctx context.Context, logger *slog.Logger) (p parts, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.bus, err = bus.Open(c.Bus, logger); err != nil {
		return p, settings.Usagef("--bus: %w", err)
	}
	if p.folder, err = lastgood.Open(c.CacheDir); err != nil {
		return p, settings.Usagef("--cache-dir %s: %w; choose a folder that can be written", c.CacheDir, err)
	}
	if p.listener = c.Listener; p.listener == nil {
		open := c.AllowAnonymous || len(c.AcceptTokens) > 0
		if p.listener, err = httpapi.Listen(ctx, c.Listen, open, "--accept-token, or an explicit --allow-anonymous"); err != nil {
			return p, settings.Usagef("--listen: %w", err)
		}
	}
	return p, nil
}

func (p parts) close() error {
	var errs []error
	if p.listener != nil {
		_ = p.listener.Close() // the server has closed it already, if it came to serve
	}
	if p.bus != nil {
		errs = append(errs, p.bus.Close())
	}
	if p.folder != nil {
		errs = append(errs, p.folder.Close())
	}
	return errors.Join(errs...)
}

// background runs what is behind the server; stop ends it and waits for it. It
// outlives ctx, so that what the last requests leave is still handed on.
func background(ctx context.Context, run ...func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, each := range run {
		running.Go(func() { each(ctx) })
	}
	return func() { cancel(); running.Wait() }
}

// tell is what follows each newer snapshot, once it is kept and served.
func tell(id string, announcer *usecase.Announcer, reporter *usecase.Reporter) func(*config.Snapshot) {
	return func(s *config.Snapshot) {
		fetched := config.Fetched{Agent: id, Namespace: s.Namespace, Revision: s.Revision, Epoch: s.Epoch, At: time.Now().UTC()}
		announcer.Tell(fetched)
		reporter.Add(config.Reports{Fetched: []config.Fetched{fetched}})
	}
}

func (c Config) announce(logger *slog.Logger, p parts, syncer *usecase.Syncer) {
	logger.Info("agent listens", "address", "http://"+p.listener.Addr().String(), "upstream", strings.Join(c.Upstream, ","),
		"bus", p.bus.State(), "namespaces", syncer.Followed())
	if c.AllowAnonymous {
		logger.Warn("anybody who reaches the address can read what this agent serves: --allow-anonymous")
	}
}

// check returns what the settings mean, or what is wrong with them.
func (c Config) check() (domain.Profile, []config.Name, error) {
	host, _ := os.Hostname() // "" is caught below, if nobody names an ID
	profile := domain.Profile{ID: c.ID, Hostname: host, Version: c.Version}
	if profile.ID == "" {
		profile.ID = host
	}
	if err := config.CheckAgentID(profile.ID); err != nil {
		return profile, nil, fmt.Errorf("--id: %w", err)
	}
	labels, err := domain.ParseLabels(c.Labels)
	if err != nil {
		return profile, nil, fmt.Errorf("--labels: %w", err)
	}
	profile.Labels = labels
	var namespaces []config.Name
	for _, s := range c.Namespaces {
		name, err := config.ParseName(s)
		if err != nil {
			return profile, nil, fmt.Errorf("--namespaces: %w", err)
		}
		if !slices.Contains(namespaces, name) {
			namespaces = append(namespaces, name)
		}
	}
	if len(c.Upstream) == 0 {
		return profile, nil, errors.New("--upstream: an address is needed, as in http://127.0.0.1:8080")
	}
	for _, address := range c.Upstream {
		if err := gateway.CheckAddress(address); err != nil {
			return profile, nil, fmt.Errorf("--upstream: %w", err)
		}
	}
	if c.PollInterval != 0 && c.PollInterval < 100*time.Millisecond {
		return profile, nil, fmt.Errorf("--poll-interval: %s is too short, 100ms is the least", c.PollInterval)
	}
	return profile, namespaces, nil
}
