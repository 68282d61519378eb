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
	folder, err := lastgood.Open(c.CacheDir)
	if err != nil {
		return settings.Usagef("cache folder %s: %w; choose one that can be written with --cache-dir", c.CacheDir, err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	listener := c.Listener
	if listener == nil {
		open := c.AllowAnonymous || len(c.AcceptTokens) > 0
		listener, err = httpapi.Listen(ctx, c.Listen, open, "--accept-token, or an explicit --allow-anonymous")
		if err != nil {
			return settings.Usagef("--listen: %w", err)
		}
	}
	notifications, err := bus.Open(c.Bus, logger)
	if err != nil {
		return errors.Join(settings.Usagef("--bus: %w", err), listener.Close())
	}
	defer func() { err = errors.Join(err, notifications.Close()) }()

	upstream := gateway.NewUpstream(gateway.Options{
		Addresses: c.Upstream, ID: profile.ID, Token: c.Token, Interval: c.PollInterval,
		Hold: func() bool { return notifications.State() != bus.OK },
	})
	defer upstream.Close()
	reporter := usecase.NewReporter(upstream, logger)
	announcer := usecase.NewAnnouncer(notifications, logger)
	syncer := usecase.NewSyncer(upstream, repository.NewCache(folder, logger), tell(profile.ID, announcer, reporter), logger)
	if err := errors.Join(syncer.Remember(), syncer.Follow(namespaces...)); err != nil {
		return errors.Join(err, listener.Close())
	}
	registrar := &usecase.Registrar{Controller: upstream, Syncer: syncer, Profile: profile, Logger: logger}

	server := httpapi.NewServer()
	ways := &handler.Handler{
		ID: profile.ID, Syncer: syncer, Reporter: reporter, Upstream: upstream, Bus: notifications, Required: namespaces,
		Tokens: c.AcceptTokens, Draining: server.Draining(), Metrics: telemetry.NewRegistry(),
	}
	routes := ways.Routes()
	notifications.OnState(ways.BusChanged)

	var work sync.WaitGroup
	defer work.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work.Go(func() { syncer.Run(ctx) })
	work.Go(func() { reporter.Run(ctx) })
	work.Go(func() { announcer.Run(ctx) })
	work.Go(func() { registrar.Run(ctx) })
	work.Go(func() {
		if err := notifications.Serve(ctx, ways.BusRoutes()...); err != nil && ctx.Err() == nil {
			logger.Error("the bus is no longer heard; polling goes on", "error", err)
		}
	})
	c.announce(logger, listener, notifications, syncer)
	return server.Serve(ctx, listener, routes, logger)
}

// tell is what follows each newer snapshot, once it is kept and served.
func tell(id string, announcer *usecase.Announcer, reporter *usecase.Reporter) func(*config.Snapshot) {
	return func(s *config.Snapshot) {
		fetched := config.Fetched{Agent: id, Namespace: s.Namespace, Revision: s.Revision, Epoch: s.Epoch, At: time.Now().UTC()}
		announcer.Tell(fetched)
		reporter.Add(config.Reports{Fetched: []config.Fetched{fetched}})
	}
}

func (c Config) announce(logger *slog.Logger, listener net.Listener, b *bus.Bus, syncer *usecase.Syncer) {
	logger.Info("agent listens", "address", "http://"+listener.Addr().String(), "upstream", strings.Join(c.Upstream, ","),
		"bus", b.State(), "namespaces", syncer.Followed())
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
