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
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/pull/zstd"
)

// codings are what an agent accepts, best first.
var codings = []pull.Coding{zstd.Coding, pull.Gzip}

// Options say how an agent pulls.
type Options struct {
	Addresses []string      // tried in order
	ID        string        // the agent's
	Token     string        // sent upstream
	Interval  time.Duration // 0 = what upstream says
	Hold      func() bool   // whether requests are held, since no notification comes
	// Anew reports whether what is held is to be fetched again though it is unchanged.
	Anew func(held *config.Snapshot) bool
	// Accept hears what an operator let through.
	Accept func(domain.Acceptance)
}

// An Upstream is one or several addresses that are tried in order, each with a
// circuit: one that does not answer is left alone for a while.
type Upstream struct {
	options Options
	http    *http.Client
	lines   *lines
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
	client := pull.NewHTTPClient()
	return &Upstream{options: o, http: client, lines: newLines(o, client)}
}

// Close closes what connections are idle.
func (u *Upstream) Close() { u.http.CloseIdleConnections() }

// State returns how upstream is doing: what answered last, or was tried.
func (u *Upstream) State() domain.UpstreamState { return u.lines.summary() }

// States returns how each address is doing, in order.
func (u *Upstream) States() []domain.UpstreamState { return u.lines.states(time.Now()) }

// Above returns the agents that answer at the addresses, none for a controller, and
// a channel that is closed when that changes.
func (u *Upstream) Above() (agents []string, changed <-chan struct{}) { return u.lines.above() }

// Path returns the agents that stand above, as far as they are known.
func (u *Upstream) Path() []string { return u.lines.paths() }

// try asks the addresses in order until one answers in earnest.
func (u *Upstream) try(ctx context.Context, ask func(*pull.Client) error) error {
	var errs []error
	for i := range u.lines.all {
		c, ok := u.lines.admit(i, "", time.Now())
		if !ok {
			continue
		}
		err := u.send(ctx, c, ask)
		if err == nil || ctx.Err() != nil || answered(err) {
			return err
		}
		errs = append(errs, err)
	}
	switch len(errs) {
	case 0:
		c, wait := u.lines.insist("", time.Now())
		if wait > 0 {
			return comeAgain(wait)
		}
		return u.send(ctx, c, ask)
	case 1:
		return errs[0]
	}
	return errors.Join(errs...)
}

// send asks one address. One that refuses a registration or a report, and be it for
// a while, is not thereby one to pull from no more.
func (u *Upstream) send(ctx context.Context, c call, ask func(*pull.Client) error) error {
	err := ask(c.client)
	refusal, refused := errors.AsType[*pull.Refusal](err)
	switch {
	case err != nil && ctx.Err() != nil:
		u.lines.abandon(c, time.Now())
	case answered(err):
		u.lines.observe(c, pull.Answer{}, nil, nil, time.Now())
	case refused && refusal.Status != http.StatusTooManyRequests:
		u.lines.observe(c, pull.Answer{}, nil, err, time.Now())
	default:
		u.lines.observe(c, pull.Answer{}, err, nil, time.Now())
	}
	return err
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
	var from *line // of the last answer; a puller asks once at a time
	return puller{&pull.Puller{
		Namespace: namespace,
		Fetch: func(ctx context.Context, q pull.Request) (answer pull.Answer, err error) {
			answer, from, err = u.fetch(ctx, q)
			return answer, err
		},
		Keep: func(ctx context.Context, a pull.Answer) error {
			err := keep(ctx, translate(a))
			if err != nil && len(u.lines.all) > 1 {
				u.lines.refused(from, namespace, time.Now())
			}
			return err
		},
		Observe: func(a pull.Answer, err error) {
			if errors.Is(err, pull.ErrNotFound) {
				err = fmt.Errorf("%w: %w", domain.ErrAbsent, err)
			}
			observe(translate(a), err)
		},
		Hold:     u.options.Hold,
		Anew:     u.options.Anew,
		Interval: u.options.Interval,
		Identity: u.options.ID,
	}}
}

func translate(a pull.Answer) domain.Answer {
	return domain.Answer{Snapshot: a.Snapshot, Age: a.Age, Stale: a.Stale, Interval: a.Interval, Via: a.Via}
}

// A puller is a pull.Puller in the words of the usecase.
type puller struct{ *pull.Puller }

// Nudge asks for a pull within spread.
func (p puller) Nudge(at config.Position, spread time.Duration) {
	p.Puller.Nudge(pull.Nudge{Position: at, Spread: spread})
}
