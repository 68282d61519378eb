package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// DefaultAgent is where the agent of this host is, unless the environment
// variable HERALD_AGENT says otherwise.
const DefaultAgent = "http://127.0.0.1:8081"

// Options say how to watch a config. The zero value is complete for JSON.
type Options[T any] struct {
	// Agent is the agent's address; empty is HERALD_AGENT, or DefaultAgent.
	Agent string
	// Token is brought to the agent, where it asks for one.
	Token string
	// Worker is who speaks in verdicts; empty is the host's name. Two Values of
	// one namespace need two, or one's verdict hides the other's.
	Worker string
	// StateDir is the folder in which the last good is kept, each config in a
	// folder of its own below it; empty keeps nothing over a restart.
	StateDir string
	// Interval is how often to poll; 0 is what the agent says.
	Interval time.Duration
	// Trust are the keys whose signatures count, together with those that they
	// vouch for (config.ParseKeys reads them, as "herald keys list -o json" prints
	// them). What they do not vouch for is refused, be it fetched or loaded from
	// StateDir. Without any the agent's word is enough.
	Trust config.Keys

	// Default is the value before the first config.
	Default T
	// Decode reads a document; nil is encoding/json, for JSON documents alone.
	Decode func(document []byte, mediaType string) (T, error)
	// Validate refuses a value; nil asks the value's own Validate() error, if it
	// has one.
	Validate func(T) error
	// OnChange is called before the value is replaced, one call at a time; with an
	// error it stays. Called for the last good, Watch returns after it. An error
	// that wraps context.Canceled while the Value ends is no verdict.
	OnChange func(old, next T) error

	// Link brings notifications; nil lets the agent hold requests instead.
	Link Link
	// HTTP is used for all requests; nil is pull.NewHTTPClient's.
	HTTP *http.Client
	// Logger is told what changes; nil is slog.Default.
	Logger *slog.Logger
}

// A Link is how a program that has a bus shares it with its Value. Its methods
// may be called by several goroutines.
type Link interface {
	// Listen hears what the agent of that ID tells and nudges, until ctx ends. It
	// is called once the agent's ID is known, and anew when that changes. It nudges
	// too when it has connected, and when the link becomes unhealthy.
	Listen(ctx context.Context, agent string, nudge func(pull.Nudge))
	// Healthy reports whether notifications come. While they do not, requests are
	// held.
	Healthy() bool
	// Tell passes a verdict on. After an error it goes to the agent by HTTP.
	Tell(ctx context.Context, verdict config.Verdict) error
}

// A connection is what options say of whom to ask and who asks, whatever is
// watched.
type connection struct {
	agent, token, worker, stateDir string
	interval                       time.Duration
	link                           Link
	http                           *http.Client
	logger                         *slog.Logger
	trust                          config.Keys
}

func (o *Options[T]) connection() connection {
	return connection{o.Agent, o.Token, o.Worker, o.StateDir, o.Interval, o.Link, o.HTTP, o.Logger, o.Trust}
}

// An about is what the parts that do not depend on T need of the options.
type about struct {
	namespace config.Name
	worker    string
	stateDir  string // "" for none
	interval  time.Duration
	link      Link
	client    *pull.Client
	ownHTTP   bool
	logger    *slog.Logger
	keys      config.Keys // whose signatures count; none for anybody's
	patience  time.Duration
}

// complete fills in what was left out, and refuses what cannot be.
func (c connection) complete() (about, error) {
	a := about{worker: c.worker, stateDir: c.stateDir, interval: c.interval, link: c.link, logger: c.logger, ownHTTP: c.http == nil, keys: c.trust}
	var err error
	if a.worker == "" {
		if a.worker, err = os.Hostname(); err != nil {
			return a, fmt.Errorf("the host has no name, so name the worker: %w", err)
		}
	}
	if err := config.CheckWorkerID(a.worker); err != nil {
		return a, err
	}
	if err := CheckInterval(c.interval); err != nil {
		return a, err
	}
	if a.logger == nil {
		a.logger = slog.Default()
	}
	a.client, err = c.client()
	return a, err
}

func (c connection) client() (*pull.Client, error) {
	agent := c.agent
	if agent == "" {
		agent = os.Getenv("HERALD_AGENT")
	}
	if agent == "" {
		agent = DefaultAgent
	}
	if err := CheckAgent(agent); err != nil {
		return nil, err
	}
	client := c.http
	if client == nil {
		client = pull.NewHTTPClient()
	}
	return &pull.Client{Base: agent, HTTP: client, Token: c.token, Codings: []pull.Coding{pull.Gzip}}, nil
}

// CheckAgent returns an error unless this can be the address of an agent.
func CheckAgent(address string) error {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the agent's address must be as in " + DefaultAgent)
	}
	return nil
}

// shortest is the least interval that may be asked for.
const shortest = 100 * time.Millisecond

// CheckInterval returns an error unless this can be a poll interval; 0 can.
func CheckInterval(interval time.Duration) error {
	if interval < 0 || interval > 0 && interval < shortest {
		return fmt.Errorf("poll interval %v: use %v or more, or 0 for what the agent says", interval, shortest)
	}
	return nil
}
