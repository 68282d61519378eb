// Package gateway is how an agent reaches what stands above it: it pulls from
// upstream, a controller or another agent, and registers and reports there. It
// keeps nothing but how upstream is doing.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/pull/zstd"
)

// Options say how an agent pulls.
type Options struct {
	Addresses []string      // tried in order
	ID        string        // the agent's
	Token     string        // sent upstream
	Interval  time.Duration // 0 = what upstream says
	Hold      func() bool   // whether requests are held, since no notification comes
}

// An Upstream is one or several addresses that are tried in order.
type Upstream struct {
	options Options
	http    *http.Client
	clients []*pull.Client

	mu    sync.Mutex
	state domain.UpstreamState
}

// CheckAddress returns an error unless the address can be an upstream's.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return fmt.Errorf("upstream %q: write http://HOST:PORT or https://HOST:PORT", address)
	}
	return nil
}

// NewUpstream returns an Upstream for addresses that CheckAddress passed.
func NewUpstream(o Options) *Upstream {
	u := &Upstream{options: o, http: pull.NewHTTPClient(), state: domain.UpstreamState{URL: o.Addresses[0]}}
	for _, address := range o.Addresses {
		u.clients = append(u.clients, &pull.Client{
			Base: address, HTTP: u.http, Token: o.Token, Agent: o.ID, Codings: []pull.Coding{zstd.Coding, pull.Gzip},
		})
	}
	return u
}

// Close closes what connections are idle.
func (u *Upstream) Close() { u.http.CloseIdleConnections() }

// State returns how upstream is doing.
func (u *Upstream) State() domain.UpstreamState {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state
}

func (u *Upstream) record(address string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.state = u.state.Observe(address, err, time.Now().UTC())
}

// try asks the addresses in order until one answers in earnest.
func (u *Upstream) try(ctx context.Context, ask func(*pull.Client) error) error {
	var errs []error
	for _, client := range u.clients {
		err := ask(client)
		if ctx.Err() != nil {
			return err
		}
		if err == nil || answered(err) {
			u.record(client.Base, nil)
			return err
		}
		u.record(client.Base, err)
		errs = append(errs, err)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// answered reports whether an error is an answer that another address would only
// repeat: what is wrong is the question.
func answered(err error) bool {
	refusal, ok := errors.AsType[*pull.Refusal](err)
	return ok && refusal.Status < http.StatusInternalServerError && refusal.Status != http.StatusTooManyRequests &&
		refusal.Status >= http.StatusBadRequest
}

// Puller returns what keeps a namespace current.
func (u *Upstream) Puller(
	namespace config.Name, keep func(context.Context, domain.Answer) error, observe func(domain.Answer, error),
) usecase.Puller {
	return puller{&pull.Puller{
		Namespace: namespace,
		Fetch:     u.fetch,
		Keep:      func(ctx context.Context, a pull.Answer) error { return keep(ctx, translate(a)) },
		Observe: func(a pull.Answer, err error) {
			if errors.Is(err, pull.ErrNotFound) {
				err = fmt.Errorf("%w: %w", domain.ErrAbsent, err)
			}
			observe(translate(a), err)
		},
		Hold:     u.options.Hold,
		Interval: u.options.Interval,
		Identity: u.options.ID,
	}}
}

func (u *Upstream) fetch(ctx context.Context, q pull.Request) (answer pull.Answer, err error) {
	err = u.try(ctx, func(c *pull.Client) error {
		answer, err = c.Fetch(ctx, q)
		return err
	})
	return answer, err
}

func translate(a pull.Answer) domain.Answer {
	return domain.Answer{Snapshot: a.Snapshot, Age: a.Age, Stale: a.Stale, Interval: a.Interval}
}

// A puller is a pull.Puller in the words of the usecase.
type puller struct{ *pull.Puller }

// Nudge asks for a pull within spread.
func (p puller) Nudge(at config.Position, spread time.Duration) {
	p.Puller.Nudge(pull.Nudge{Position: at, Spread: spread})
}
