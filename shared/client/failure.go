package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/heraldconf/herald/shared/httpapi"
)

// Unreachable is the error of a server that did not answer.
type Unreachable struct {
	Server string
	Reason string
	// Unknown is true for a write that may have been done all the same.
	Unknown bool
}

func (e *Unreachable) Error() string { return "cannot reach " + e.Server + ": " + e.Reason }

func (c *Client) unreachable(ctx context.Context, r Request, limit time.Duration, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	dial, dialled := errors.AsType[*net.OpError](err)
	reads := r.Method == "" || r.Method == http.MethodGet
	return &Unreachable{
		Server:  c.server,
		Reason:  reason(err, limit),
		Unknown: !reads && (!dialled || dial.Op != "dial"),
	}
}

func reason(err error, limit time.Duration) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "no host " + strconv.Quote(dns.Name) + " is known"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
			limit = dialTimeout
		}
		return "no answer within " + limit.String()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection broke off"
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	return err.Error()
}

// problem reads problem details (RFC 9457). An answer without them comes from
// something else than Herald, and is made one that says so.
func (c *Client) problem(response *http.Response, body []byte) error {
	p := new(httpapi.Problem)
	if json.Unmarshal(body, p) != nil || (p.Code == "" && p.Detail == "") {
		p = httpapi.NewProblem(response.StatusCode, "", c.server+" answered "+response.Status+", but not as Herald does; is that the address of a controller?")
		if to := response.Header.Get("Location"); response.StatusCode/100 == 3 && to != "" {
			p.Detail = c.server + " says that what is asked for is at " + strconv.Quote(to) + "; ask there"
		}
	}
	p.Status = response.StatusCode
	if p.Detail == "" {
		p.Detail = p.Code
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(min(seconds, 3600)) * time.Second
	}
	return p
}
