// Package gateway is how the worker reaches its target: over HTTP, to allowed
// hosts alone, in bounded time and room. It decides nothing about what a target
// may be; that is domain's.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/heraldconf/herald/services/worker/domain"
)

const (
	// MaxAnswer is how many bytes of an answer are taken.
	MaxAnswer    = 1 << 20
	maxRedirects = 5
)

// A Resolver finds the addresses of a name, as net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// A Client requests targets. The hosts are checked on the URL, on each redirect,
// and on the very address that is dialled: it resolves a name once, and dials what
// it checked.
type Client struct {
	hosts    domain.Hosts
	resolver Resolver
	dialer   net.Dialer
	http     *http.Client
}

// NewClient returns a client that reaches these hosts. resolver is
// net.DefaultResolver, but in tests.
func NewClient(hosts domain.Hosts, resolver Resolver) *Client {
	c := &Client{hosts: hosts, resolver: resolver, dialer: net.Dialer{Timeout: 10 * time.Second}}
	c.http = &http.Client{
		CheckRedirect: c.checkRedirect,
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would dial on our behalf, unchecked
			DialContext:            c.dial,
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxConnsPerHost:        128,
			MaxIdleConnsPerHost:    16,
			MaxIdleConns:           64,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
	return c
}

// Close closes what is idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Request makes the target's request. It fails with domain.ErrTargetFailed or
// domain.ErrTargetTimeout, and domain.ErrHostNotAllowed besides where that is why.
func (c *Client) Request(ctx context.Context, target domain.Target) (domain.Answer, error) {
	request, err := http.NewRequestWithContext(ctx, target.Method, target.URL.String(), nil)
	if err != nil {
		return domain.Answer{}, fmt.Errorf("%w: %w", domain.ErrTargetFailed, err)
	}
	for name, value := range target.Header {
		request.Header.Set(name, value)
	}
	if err := c.hosts.Check(target.URL); err != nil {
		return domain.Answer{}, fmt.Errorf("%w: %w", domain.ErrTargetFailed, err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return domain.Answer{}, failed(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < http.StatusOK {
		return domain.Answer{}, fmt.Errorf("%w: it answered with status %d alone", domain.ErrTargetFailed, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	if err != nil {
		return domain.Answer{}, failed(ctx, err)
	}
	if len(body) > MaxAnswer {
		return domain.Answer{}, fmt.Errorf("%w: its answer is larger than %d bytes", domain.ErrTargetFailed, MaxAnswer)
	}
	return domain.Answer{
		Status: response.StatusCode, Body: body,
		ContentType: response.Header.Get("Content-Type"), ContentEncoding: response.Header.Get("Content-Encoding"),
	}, nil
}

// failed tells a target that is too slow from one that fails.
func failed(ctx context.Context, err error) error {
	slow, ok := errors.AsType[net.Error](err)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || ok && slow.Timeout() {
		return domain.ErrTargetTimeout
	}
	return fmt.Errorf("%w: %w", domain.ErrTargetFailed, err)
}

var (
	errRedirects = errors.New("more than five redirects")
	errDowngrade = errors.New("a redirect leads from https to http")
)

// checkRedirect lets a redirect lead to allowed hosts alone. The config's headers
// stay with the host that they were written for.
func (c *Client) checkRedirect(request *http.Request, via []*http.Request) error {
	first, last := via[0], via[len(via)-1]
	switch {
	case len(via) > maxRedirects:
		return errRedirects
	case request.URL.Scheme != "http" && request.URL.Scheme != "https", request.URL.User != nil:
		return fmt.Errorf("%w: a redirect leads elsewhere", domain.ErrHostNotAllowed)
	case last.URL.Scheme == "https" && request.URL.Scheme == "http":
		return errDowngrade
	}
	if request.URL.Host != first.URL.Host {
		request.Header = http.Header{}
	}
	return c.hosts.Check(request.URL)
}

// dial resolves a host once, and dials those of its addresses that it may stand
// for.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", domain.ErrHostNotAllowed, err)
	}
	if err := c.hosts.CheckHost(host, port); err != nil {
		return nil, err
	}
	addresses, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("%s has no address", host)
	for i, candidate := range addresses {
		if err = c.hosts.CheckAddress(host, candidate, port); err != nil {
			continue
		}
		var conn net.Conn
		if conn, err = c.dialOne(ctx, network, net.JoinHostPort(candidate.String(), port), len(addresses)-i); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// dialOne dials one of so many addresses that are left, in its share of the time.
func (c *Client) dialOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		share, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
		ctx = share
	}
	return c.dialer.DialContext(ctx, network, address)
}

func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal.Unmap()}, nil
	}
	addresses, err := c.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve the host: %w", err)
	}
	return addresses, nil
}
