package pull

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// MaxBody is how many decoded bytes of a snapshot a Client takes: a namespace's
// 8 MiB, written as JSON strings, and what stands around them.
const MaxBody = 20 << 20

// answerTimeout is how long an answer may take beyond what it was held for.
const answerTimeout = 20 * time.Second

// A Client pulls snapshots from one upstream, a controller or an agent.
type Client struct {
	Base    string       // the upstream's address, as in http://127.0.0.1:8080
	HTTP    *http.Client // NewHTTPClient's, or one that follows no redirects
	Token   string       // sent as a bearer token, where there is one
	Agent   string       // who asks, where an agent does
	Codings []Coding     // what is accepted, best first
}

// NewHTTPClient returns an HTTP client for any number of requests to a few
// upstreams. It follows no redirect: who serves configuration answers itself.
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        90 * time.Second,
			DisableCompression:     true, // the protocol's codings are negotiated here
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A Request asks for a namespace's newest snapshot.
type Request struct {
	Namespace config.Name
	Have      config.ETag   // "" for none
	Wait      time.Duration // how long the answer may be held
}

// An Answer is what an upstream said.
type Answer struct {
	Snapshot *config.Snapshot // verified; nil if what one has is still the newest
	Interval time.Duration    // the poll interval that was told; 0 if none was
	Agent    string           // the agent that answered; "" for a controller
	Age      time.Duration    // since that agent last confirmed the body
	Stale    bool             // that agent cannot confirm it now
}

// A Refusal is an upstream's answer that is no snapshot.
type Refusal struct {
	Status     int
	Code       string // of the problem, where it is one
	Detail     string
	RetryAfter time.Duration
}

func (r *Refusal) Error() string {
	text := strconv.Itoa(r.Status) + " " + http.StatusText(r.Status)
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return text
}

// Is makes a 404 an ErrNotFound.
func (r *Refusal) Is(target error) bool {
	return target == ErrNotFound && r.Status == http.StatusNotFound
}

// Fetch asks once. It fails with a *Refusal for an answer that is neither a
// snapshot nor unchanged (ErrNotFound matches a 404), with ErrUnverified for a
// body that is not what it claims to be, and with the transport's error.
func (c *Client) Fetch(ctx context.Context, q Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, q.Wait+answerTimeout)
	defer cancel()
	request, err := c.request(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("pull %s: %w", q.Namespace, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := Answer{
		Interval: parseSeconds(response.Header.Get(headerInterval)),
		Age:      parseSeconds(response.Header.Get("Age")),
		Stale:    response.Header.Get(headerStale) == "true",
	}
	if id := response.Header.Get(headerAgent); config.CheckAgentID(id) == nil {
		answer.Agent = id
	}
	switch response.StatusCode {
	case http.StatusOK:
		answer.Snapshot, err = c.read(response, q)
	case http.StatusNotModified:
		err = checkUnchanged(response, q)
	default:
		err = NewRefusal(response)
	}
	return answer, err
}

func (c *Client) request(ctx context.Context, q Request) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(c.Base, "/")+SnapshotPath(q.Namespace), nil)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", q.Namespace, err)
	}
	h := request.Header
	if q.Have != "" {
		h.Set("If-None-Match", q.Have.Quoted(""))
	}
	if q.Wait > 0 {
		h.Set("Prefer", "wait="+strconv.Itoa(int(q.Wait.Seconds())))
	}
	if c.Token != "" {
		h.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Agent != "" {
		h.Set(headerAgent, c.Agent)
	}
	names := make([]string, len(c.Codings))
	for i, coding := range c.Codings {
		names[i] = coding.Name
	}
	if len(names) > 0 {
		h.Set("Accept-Encoding", strings.Join(names, ", "))
	}
	return request, nil
}

// checkUnchanged refuses a 304 that cannot be true.
func checkUnchanged(response *http.Response, q Request) error {
	if q.Have == "" {
		return fmt.Errorf("%w: 304 to somebody who holds nothing", ErrUnverified)
	}
	if tag, ok := config.ParseETag(response.Header.Get("ETag")); ok && tag != q.Have {
		return fmt.Errorf("%w: 304 for another ETag", ErrUnverified)
	}
	return nil
}

// read verifies a 200: length, coding, digest, and that the body is a snapshot
// of what was asked for. An answer with the ETag that one has counts as unchanged.
func (c *Client) read(response *http.Response, q Request) (*config.Snapshot, error) {
	tag, tagged := config.ParseETag(response.Header.Get("ETag"))
	if tagged && tag == q.Have {
		return nil, nil //nolint:nilnil // unchanged is no error
	}
	body, err := c.decode(response)
	if err != nil {
		return nil, err
	}
	want, err := config.ParseDigest(response.Header.Get("Repr-Digest"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	if got := config.DigestOf(body); got != want {
		return nil, fmt.Errorf("%w: its digest is another one", ErrUnverified)
	}
	snapshot, err := config.Open(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	if snapshot.Namespace != q.Namespace {
		return nil, fmt.Errorf("%w: it is of namespace %s", ErrUnverified, snapshot.Namespace)
	}
	if revision := response.Header.Get(headerRevision); revision != "" && revision != strconv.FormatInt(int64(snapshot.Revision), 10) {
		return nil, fmt.Errorf("%w: the header says another revision than the body", ErrUnverified)
	}
	if tagged {
		snapshot.ETag = tag
	}
	return snapshot, nil
}

func (c *Client) decode(response *http.Response) ([]byte, error) {
	reader := response.Body
	if name := response.Header.Get("Content-Encoding"); name != "" && name != "identity" {
		coding := c.coding(name)
		if coding == nil {
			return nil, fmt.Errorf("%w: content coding %q was not asked for", ErrUnverified, name)
		}
		decoded, err := coding.Decode(response.Body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
		}
		defer func() { _ = decoded.Close() }()
		reader = decoded
	}
	body, err := io.ReadAll(io.LimitReader(reader, MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrUnverified, MaxBody)
	}
	return body, nil
}

func (c *Client) coding(name string) *Coding {
	for i := range c.Codings {
		if strings.EqualFold(c.Codings[i].Name, name) {
			return &c.Codings[i]
		}
	}
	return nil
}

// NewRefusal reads an answer that says no. The body is read up to a bound, and
// is not closed.
func NewRefusal(response *http.Response) *Refusal {
	refusal := &Refusal{Status: response.StatusCode, RetryAfter: retryAfter(response.Header.Get("Retry-After"))}
	body, _ := io.ReadAll(io.LimitReader(response.Body, 16<<10))
	var problem struct{ Code, Detail string }
	if json.Unmarshal(body, &problem) == nil {
		refusal.Code, refusal.Detail = problem.Code, problem.Detail
	}
	return refusal
}

// retryAfter reads a Retry-After, in seconds or as a date.
func retryAfter(value string) time.Duration {
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(at)), maxSeconds*time.Second)
	}
	return parseSeconds(value)
}
