// Package controller is the service that keeps configuration: an operator changes
// it here, agents pull it from here. This package is the wiring alone: it opens,
// builds, connects and serves, and knows of each part no more than its name.
package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/heraldconf/herald/events"
	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/schema"
	"github.com/heraldconf/herald/shared/settings"
	"github.com/heraldconf/herald/shared/telemetry"
)

// Config is how a controller is set. See INTERFACE.md, and the command's help.
type Config struct {
	Listen         string
	DB             string // the file of the database
	Bus            string // a URL; "" for none
	PollInterval   time.Duration
	Spread         time.Duration
	AllowAnonymous bool            // to listen beyond loopback without tokens
	AdminToken     settings.Secret // of the role admin, given from outside; "" for none
	BootstrapDir   string          // where a first start hands out tokens; "" for nowhere
	Demo           string          // a URL; "" for no demonstration
	SigningKey     string          // its file; "" is beside the database
	Version        string

	// Listener is used in the place of Listen where it is not nil.
	Listener net.Listener
}

// Run is a controller from its start until ctx ends, and its clean stop after
// that. An error that wraps settings.ErrUsage is about the Config.
func Run(ctx context.Context, c Config, logger *slog.Logger) error {
	if err := c.check(); err != nil {
		return err
	}
	opened, err := c.open(ctx, logger)
	if err != nil {
		return err
	}
	defer opened.close()
	does, err := c.build(ctx, opened, logger)
	if err != nil {
		return err
	}
	if err := c.demonstrate(ctx, does.Configs); err != nil {
		return err
	}
	server := httpapi.NewServer()
	does.Draining, does.Version, does.Logger = server.Draining(), c.Version, logger
	ways := handler.New(does.Parts)

	// What serves stops first, then what it fed: the outbox and the fleet are
	// flushed once nothing more can come.
	behind := background(ctx, does.Configs.Run, does.relay.Run, does.Fleet.Run, does.Tokens.Run, does.Audit.Run, does.Retention.Run)
	defer behind.stop()
	heard := background(ctx, func(ctx context.Context) { listenTo(ctx, opened.facts, ways.Events(), logger) })
	defer heard.stop()
	logger.Info("controller serves", "address", "http://"+opened.listener.Addr().String(), "db", c.DB, "epoch", does.Epoch, "bus", opened.facts.State(), "version", c.Version)
	err = server.Serve(ctx, opened.listener, ways.Routes(telemetry.NewRegistry()), logger)
	logger.Info("controller stops")
	return err
}

// resources are what a controller opens, and closes at the end.
type resources struct {
	listener net.Listener
	facts    *bus.Bus
	store    *repository.Store
}

// open opens them all, or none.
func (c Config) open(ctx context.Context, logger *slog.Logger) (r resources, err error) {
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.listener, err = c.listen(ctx); err != nil {
		return r, err
	}
	if r.facts, err = bus.Open(c.Bus, logger); err != nil {
		return r, settings.Usagef("--bus: %w", err)
	}
	if r.store, err = repository.Open(ctx, c.DB); err != nil {
		return r, settings.Usagef("%w", err)
	}
	return r, nil
}

// close closes what is open, the store first: what is acknowledged is on disk.
func (r resources) close() {
	if r.store != nil {
		_ = r.store.Close()
	}
	if r.facts != nil {
		_ = r.facts.Close()
	}
	if r.listener != nil {
		_ = r.listener.Close()
	}
}

// A controller is what a controller does, as its ways in need it, and who tells of it.
type controller struct {
	handler.Parts
	relay *usecase.Relay
}

// build connects what a controller does with what it opened.
func (c Config) build(ctx context.Context, opened resources, logger *slog.Logger) (does controller, err error) {
	store, facts := opened.store, opened.facts
	if does.Signing, err = c.sign(ctx, store, logger); err != nil {
		return does, err
	}
	if does.Configs, err = usecase.NewConfigs(ctx, store, store, store, logger); err != nil {
		return does, err
	}
	does.Schemas = usecase.NewSchemas(store, store, readSchemas)
	does.Configs.HoldTo(does.Schemas)
	does.Configs.SignWith(does.Signing)
	does.relay = usecase.NewRelay(store, announcer{facts}, does.Configs, c.Spread, logger)
	does.Configs.OnCommit(does.relay.Wake)
	facts.OnState(healed(does.relay))
	if does.Fleet, err = usecase.NewFleet(ctx, store, does.Configs, c.PollInterval, logger); err != nil {
		return does, err
	}
	if does.Tokens, err = c.admit(ctx, store, logger); err != nil {
		return does, err
	}
	does.Undo, does.Proposals = usecase.NewUndo(does.Configs, store), usecase.NewProposals(does.Configs, store, store, store)
	does.Audit, does.Retention = usecase.NewAudit(store, logger), usecase.NewRetention(store, logger)
	does.Receipts, does.Settings = usecase.NewReceipts(store), store
	does.Ready, does.Backup, does.Epoch, does.Pending = store.Ready, store.Backup, store.Epoch(), does.relay.Pending
	does.Bus = func() string { return string(facts.State()) }
	return does, nil
}

// healed tells the relay that the bus is there again.
func healed(relay *usecase.Relay) func(bus.State) {
	return func(state bus.State) {
		if state == bus.OK {
			relay.Healed()
		}
	}
}

// readSchemas makes a set of the documents of schemas.
func readSchemas(all map[config.Name][]byte) usecase.SchemaSet { return schema.Read(all) }

// check refuses what cannot be meant.
func (c Config) check() error {
	switch {
	case c.PollInterval < usecase.MinInterval || c.PollInterval > usecase.MaxInterval:
		return settings.Usagef("--poll-interval: %s is out of bounds: use 100ms to 24h, as in 15s", c.PollInterval)
	case c.Spread < 0 || c.Spread > 10*time.Second:
		return settings.Usagef("--spread: %s is out of bounds: use 0s to 10s", c.Spread)
	case c.DB == "":
		return settings.Usagef("--db: name a file, as in ./herald-data/controller.db")
	case c.Demo == "":
		return c.checkAdminToken()
	}
	if target, err := url.Parse(c.Demo); err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return settings.Usagef("--demo: %q is no URL: write it as in http://127.0.0.1:8080/healthz", c.Demo)
	}
	return c.checkAdminToken()
}

func (c Config) listen(ctx context.Context) (net.Listener, error) {
	if c.Listener != nil {
		return c.Listener, nil
	}
	open := c.AllowAnonymous || c.AdminToken != "" || c.BootstrapDir != ""
	listener, err := httpapi.Listen(ctx, c.Listen, open, "tokens (--bootstrap-dir or --admin-token), or --allow-anonymous, which lets anybody who reaches it read and write")
	if err != nil {
		return nil, settings.Usagef("--listen: %w", err)
	}
	return listener, nil
}

// demonstrate commits demo/fetch at the first start, so that a worker has
// something to run on.
func (c Config) demonstrate(ctx context.Context, configs *usecase.Configs) error {
	if c.Demo == "" {
		return nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // an & of the URL stays one
	if err := enc.Encode(map[string]string{"url": c.Demo}); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	_, err := configs.Commit(ctx, "demo", domain.Proposal{
		Author: "herald", Actor: domain.Actor{Name: "herald"}, Message: "something for a worker to run on", Base: new(config.Revision(0)),
		Changes: []domain.Change{{
			Op: domain.Put, Name: "fetch", Document: config.Document{MediaType: "application/json", Body: bytes.TrimSpace(body.Bytes())},
		}},
	})
	if errors.Is(err, domain.ErrStaleBase) {
		return nil // not the first start
	}
	return err
}

// An announcer publishes on the bus. Where there is none nobody waits for the
// news, and the outbox need not keep it.
type announcer struct{ facts *bus.Bus }

// Publish tells a fact.
func (a announcer) Publish(ctx context.Context, e events.Event) error {
	if err := a.facts.Publish(ctx, e); err != nil && !errors.Is(err, bus.ErrNone) {
		return err
	}
	return nil
}

func listenTo(ctx context.Context, facts *bus.Bus, routes []bus.Route, logger *slog.Logger) {
	if err := facts.Serve(ctx, routes...); err != nil && ctx.Err() == nil {
		logger.Error("the bus is not listened to any more", "error", err)
	}
}

// Tasks are what runs behind the server.
type tasks struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// background runs each of these until stop is called. They do not end with ctx:
// what serves ends with it, and is to find them there until it has.
func background(ctx context.Context, run ...func(context.Context)) *tasks {
	t := &tasks{}
	ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, each := range run {
		t.group.Go(func() { each(ctx) })
	}
	return t
}

// stop ends the tasks and waits until they have.
func (t *tasks) stop() {
	t.cancel()
	t.group.Wait()
}
