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
	"github.com/heraldconf/herald/shared/trust"
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
	Trust          string        // whose signatures count: first-use (or ""), none, or a file of keys
	AcceptTokens   []string      // what callers beyond loopback must bring
	AllowAnonymous bool
	Templates      string   // a YAML file of files made from configs; "" = none
	TemplateRoots  []string // the folders that these may be made in
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
	templates, err := c.templates(profile)
	if err != nil {
		return settings.Usagef("%w", err)
	}
	logger = logger.With("service", "agent", "agent", profile.ID)
	parts, err := c.open(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()

	var syncer *usecase.Syncer
	upstream := gateway.NewUpstream(gateway.Options{
		Addresses: c.Upstream, ID: profile.ID, Token: c.Token, Interval: c.PollInterval,
		Hold:   func() bool { return parts.bus.State() != bus.OK },
		Anew:   func(held *config.Snapshot) bool { return parts.trust.Anew(held) },
		Accept: func(a domain.Acceptance) { syncer.Accept(a) },
	})
	defer upstream.Close()
	if err := c.trust(&parts, upstream, logger); err != nil {
		return err
	}
	ring := usecase.NewRing(upstream, func() time.Duration { return syncer.Interval() }, logger)
	reporter := parts.reporter(upstream, ring.Every, logger)
	announcer := usecase.NewAnnouncer(parts.bus, logger)
	cache := repository.NewCache(parts.folder, logger)
	cache.Require(parts.trust.Verify)
	syncer = usecase.NewSyncer(upstream, cache, tell(profile.ID, announcer, reporter), logger)
	syncer.Require(parts.trust.Check)
	syncer.OnWithheld(withheld(profile.ID, reporter))
	syncer.CheckDisk()
	files := c.files(templates, profile, syncer, reporter, parts.folder, logger)
	if err := follow(syncer, cache, namespaces, files.Namespaces()); err != nil {
		return err
	}
	registrar := &usecase.Registrar{Controller: upstream, Syncer: syncer, Reporter: reporter, Profile: profile, Logger: logger}

	server := httpapi.NewServer()
	ways := &handler.Handler{
		ID: profile.ID, Syncer: syncer, Reporter: reporter, Ring: ring, Files: files, Upstream: upstream, Trust: parts.trust, Bus: parts.bus,
		Required: namespaces, Tokens: c.AcceptTokens, Draining: server.Draining(), Metrics: telemetry.NewRegistry(),
	}
	routes := ways.Routes()
	parts.bus.OnState(ways.BusChanged)

	stop := background(ctx, syncer.Run, reporter.Run, announcer.Run, registrar.Run, ring.Run, files.Run,
		func(ctx context.Context) { ways.HearAbove(ctx, upstream.Above) },
		func(ctx context.Context) { parts.hear(ctx, ways, logger) })
	defer func() {
		stop()
		reporter.Goodbye(ctx, profile.ID)
	}()
	c.announce(logger, parts, syncer)
	return server.Serve(ctx, parts.listener, routes, logger)
}

// follow has the syncer follow what it did before, what it is told to, and what files
// are made from.
func follow(syncer *usecase.Syncer, cache *repository.Cache, told, made []config.Name) error {
	remembered, err := cache.Namespaces()
	return errors.Join(err, syncer.Follow(remembered...), syncer.Follow(told...), syncer.Follow(made...))
}

// parts are what an agent opens, and closes at the end.
type parts struct {
	folder   *lastgood.Folder
	listener net.Listener
	bus      *bus.Bus
	whose    trust.Setting
	trust    *trust.Trust
}

// open opens them all, or none.
func (c Config) open(ctx context.Context, logger *slog.Logger) (p parts, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.whose, err = trust.Parse(c.Trust); err != nil {
		return p, settings.Usagef("--trust: %w", err)
	}
	if p.bus, err = bus.Open(c.Bus, logger); err != nil {
		return p, settings.Usagef("--bus: %w", err)
	}
	if p.folder, err = lastgood.Open(c.CacheDir); err != nil {
		return p, settings.Usagef("--cache-dir %s: %w; choose a folder that can be made, and read", c.CacheDir, err)
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

// reporter is one that remembers in the folder what nobody above has heard.
func (p parts) reporter(upstream usecase.Controller, interval func() time.Duration, logger *slog.Logger) *usecase.Reporter {
	r := usecase.NewReporter(upstream, interval, logger)
	r.Remember(repository.NewUnheard(p.folder, logger))
	return r
}

// hear takes what the bus brings until ctx ends.
func (p parts) hear(ctx context.Context, ways *handler.Handler, logger *slog.Logger) {
	if err := p.bus.Serve(ctx, ways.BusRoutes()...); err != nil && ctx.Err() == nil {
		logger.Error("the bus is no longer heard; polling goes on", "error", err)
	}
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

// withheld tells upward what this agent refuses, and once it refuses it no more.
func withheld(id string, reporter *usecase.Reporter) func(config.Name, *domain.Withheld, *config.Snapshot) {
	return func(namespace config.Name, w *domain.Withheld, held *config.Snapshot) {
		if w != nil {
			reporter.Add(config.Reports{Fetched: []config.Fetched{usecase.Rejection(id, namespace, w)}})
		} else if held != nil {
			reporter.Add(config.Reports{Fetched: []config.Fetched{
				{Agent: id, Namespace: namespace, Revision: held.Revision, Epoch: held.Epoch, At: time.Now().UTC()},
			}})
		}
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
