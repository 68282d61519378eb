package pull

import (
	"bytes"
	"context"
	"errors"
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

// answerTimeout is how long an answer may take beyond what it was held for, however
// steadily it comes.
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
	Have      config.ETag     // "" for none
	At        config.Position // where the namespace stood that is held
	Wait      time.Duration   // how long the answer may be held
}

// An Answer is what an upstream said.
type Answer struct {
	Snapshot *config.Snapshot // verified; nil if what one has is still the newest
	Interval time.Duration    // the poll interval that was told; 0 if none was
	Agent    string           // the agent that answered; "" for a controller
	Age      time.Duration    // at most, since the body was last known to be the newest
	Stale    bool             // that agent cannot confirm it now
	Via      []string         // the agents it came through, nearest to the controller first; of a Refusal too
}

// Fetch asks once. It fails with a *Refusal for an answer that is neither a
// snapshot nor unchanged (ErrNotFound matches a 404), with ErrUnverified for a
// body that is not what it claims to be, and with the transport's error.
func (c *Client) Fetch(ctx context.Context, q Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, q.Wait+answerTimeout)
	defer cancel()
	ctx, vigil, stop := keepVigil(ctx, q.Wait)
	defer stop()
	answer, err := c.fetch(ctx, q, vigil)
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		err = fmt.Errorf("pull %s: %w", q.Namespace, errSilent)
	}
	return answer, err
}

func (c *Client) fetch(ctx context.Context, q Request, vigil *vigil) (Answer, error) {
	request, err := c.request(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("pull %s: %w", q.Namespace, err)
	}
	began := time.Now()
	response.Body = vigil.begun(response.Body)
	defer func() { _ = response.Body.Close() }()
	answer := Answer{
		Interval: parseSeconds(response.Header.Get(headerInterval)),
		Age:      ageOf(response.Header),
		Stale:    response.Header.Get(headerStale) == "true",
		Via:      Via(response.Header),
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
	answer.Age += time.Since(began) // a large body may be long on its way
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

// checkUnchanged refuses an answer that cannot be true, or shows that the ETag one
// has was never that of the body one has.
func checkUnchanged(response *http.Response, q Request) error {
	if q.Have == "" {
		return fmt.Errorf("%w: 304 to somebody who holds nothing", ErrUnverified)
	}
	if tag, ok := config.ParseETag(response.Header.Get("ETag")); ok && tag != q.Have {
		return fmt.Errorf("%w: 304 for another ETag", ErrUnverified)
	}
	revision, epoch := response.Header.Get(headerRevision), response.Header.Get(headerEpoch)
	if q.At.Revision > 0 && (revision != "" && revision != formatRevision(q.At.Revision) || epoch != "" && epoch != string(q.At.Epoch)) {
		return fmt.Errorf("%w: unchanged, and yet of another revision than what is held", ErrUnverified)
	}
	return nil
}

func formatRevision(r config.Revision) string { return strconv.FormatInt(int64(r), 10) }

// read verifies a 200: length, coding, digest, and that the body is a snapshot
// of what was asked for. An answer with the ETag that one has counts as unchanged.
func (c *Client) read(response *http.Response, q Request) (*config.Snapshot, error) {
	tag, tagged := config.ParseETag(response.Header.Get("ETag"))
	if tagged && tag == q.Have {
		return nil, checkUnchanged(response, q)
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
	if revision := response.Header.Get(headerRevision); revision != "" && revision != formatRevision(snapshot.Revision) {
		return nil, fmt.Errorf("%w: the header says another revision than the body", ErrUnverified)
	}
	if tagged {
		snapshot.ETag = tag
	}
	snapshot.Accepted = response.Header.Get(headerAccepted) == "true"
	if snapshot.Signature, err = signatureOf(response.Header); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	return snapshot, nil
}

// signatureOf reads the signature that a snapshot came with. Whose it is, and
// whether it is good, is for those to say who know keys.
func signatureOf(h http.Header) (config.Signature, error) {
	switch fields := h.Values(headerSignature); len(fields) {
	case 0:
		return config.Signature{}, nil
	case 1:
		return config.ParseSignature(fields[0])
	default:
		return config.Signature{}, fmt.Errorf("%w: %d fields Herald-Signature", config.ErrSignature, len(fields))
	}
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
	return readBody(reader)
}

// readBody reads a body up to MaxBody. It does so in parts that are joined at the
// end, since a buffer that grows by copying costs several times what it holds, and
// a body that turns out too large is to cost no more than the bound.
func readBody(r io.Reader) ([]byte, error) {
	var parts [][]byte
	for left := MaxBody + 1; left > 0; {
		part := make([]byte, min(left, max(16<<10, min(1<<20, (MaxBody+1-left)/2))))
		n, err := fill(r, part)
		parts = append(parts, part[:n])
		left -= n
		if errors.Is(err, io.EOF) {
			return bytes.Join(parts, nil), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnverified, err)
		}
	}
	return nil, fmt.Errorf("%w: larger than %d bytes", ErrUnverified, MaxBody)
}

// fill is io.ReadFull, but hands on the reader's own error: its end is no other
// thing than a body that was cut.
func fill(r io.Reader, part []byte) (n int, err error) {
	for n < len(part) && err == nil {
		var m int
		m, err = r.Read(part[n:])
		n += m
	}
	return n, err
}

func (c *Client) coding(name string) *Coding {
	for i := range c.Codings {
		if strings.EqualFold(c.Codings[i].Name, name) {
			return &c.Codings[i]
		}
	}
	return nil
}
