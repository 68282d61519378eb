// Package client asks the controller over HTTP, as people and scripts do: it
// knows paths, bodies and problems, bounds what it reads and how long it waits,
// and says why a server did not answer. It knows no command line and no exit
// code. What agents and workers pull with is shared/pull.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// answerTimeout is how long an answer may take that nobody asked to hold.
	answerTimeout = 30 * time.Second
	// maxAnswer holds a snapshot of a full namespace with every byte escaped.
	maxAnswer = 64 << 20
)

// ErrAddress means that a server's address is none.
var ErrAddress = errors.New("not an address of a server")

// A Client asks one server.
type Client struct {
	server string // without a slash at its end
	token  string
	http   *http.Client
}

// New returns a client of the server at a URL like http://127.0.0.1:8080, or an
// error that wraps ErrAddress. token may be empty.
func New(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%w: %q: write it as in http://127.0.0.1:8080", ErrAddress, server)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	return &Client{
		server: strings.TrimRight(server, "/"),
		token:  token,
		http: &http.Client{
			Transport: transport,
			// A redirected PUT would become a GET, and look like success.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Server is the address that is asked.
func (c *Client) Server() string { return c.server }

// A Request is what is asked.
type Request struct {
	Method string // GET where it is empty
	Path   string // with its query, escaped
	Header http.Header
	Body   []byte
	Wait   time.Duration // how long the server is asked to hold its answer
}

// An Answer is a status of 2xx or 304, with its whole body.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do asks. The error is a *httpapi.Problem where the server answered one, an
// *Unreachable where it did not answer, or that of ctx.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	limit := answerTimeout + r.Wait
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := c.request(limited, r)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, r, limit, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.unreachable(ctx, r, limit, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("%s answered with more than %d bytes, which nothing of Herald has", c.server, maxAnswer)
	case response.StatusCode/100 == 2 || response.StatusCode == http.StatusNotModified:
		return &Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
	}
	return nil, c.problem(response, body)
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, c.server+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	maps.Copy(request.Header, r.Header)
	request.Header.Set("User-Agent", "herald")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.Wait > 0 {
		request.Header.Set("Prefer", "wait="+strconv.Itoa(max(int(r.Wait/time.Second), 1)))
	}
	return request, nil
}

// Get asks for a JSON body and decodes it. It returns the body as it came, too.
func (c *Client) Get(ctx context.Context, path string, into any) (json.RawMessage, error) {
	return c.decode(ctx, Request{Path: path}, into)
}

// Hold is Get for an answer that the server may hold for that long.
func (c *Client) Hold(ctx context.Context, path string, wait time.Duration, into any) (json.RawMessage, error) {
	return c.decode(ctx, Request{Path: path, Wait: wait}, into)
}

// Send sends a value as JSON and decodes what is answered.
func (c *Client) Send(ctx context.Context, method, path string, value, into any) (json.RawMessage, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return c.decode(ctx, Request{Method: method, Path: path, Header: header, Body: body}, into)
}

// decode asks and decodes the JSON that is answered.
func (c *Client) decode(ctx context.Context, r Request, into any) (json.RawMessage, error) {
	answer, err := c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer.Body, into); err != nil {
		return nil, fmt.Errorf("%s%s did not answer as Herald does: %w", c.server, r.Path, err)
	}
	return answer.Body, nil
}
