// Package domain is the rules of the reference worker as values: what a target
// is, which hosts it may have, and which addresses a host may stand for. It knows
// no HTTP, no network and no configuration service.
package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// A Target is a request that the worker makes for whoever asks: the meaning of
// the config "fetch".
type Target struct {
	URL     *url.URL
	Method  string
	Timeout time.Duration
	Header  map[string]string
}

const (
	defaultTimeout = 2 * time.Second
	maxTimeout     = time.Minute
	maxURL         = 8 << 10
)

// ParseTarget reads a target from JSON as
//
//	{"url":"http://127.0.0.1:8080/healthz","method":"GET","timeout_ms":2000,"headers":{}}
//
// of which only url is needed. Members that it does not know are left alone: a
// newer worker may know them. It fails with one of the Reasons.
func ParseTarget(document []byte, allowed Hosts) (Target, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(document, &members); err != nil {
		return Target{}, fmt.Errorf("%w: %w", ErrDecode, err)
	}
	address, method, milliseconds := "", "GET", defaultTimeout.Milliseconds()
	var header map[string]string
	if err := errors.Join(
		member(members, "url", &address), member(members, "method", &method),
		member(members, "timeout_ms", &milliseconds), member(members, "headers", &header),
	); err != nil {
		return Target{}, err
	}
	target := Target{Method: method, Timeout: time.Duration(milliseconds) * time.Millisecond, Header: header}
	if milliseconds < 1 || milliseconds > maxTimeout.Milliseconds() {
		return Target{}, fmt.Errorf("%w: timeout_ms is %d, and may be 1 to %d", ErrInvalid, milliseconds, maxTimeout.Milliseconds())
	}
	var err error
	if target.URL, err = parseURL(address); err != nil {
		return Target{}, err
	}
	if err := errors.Join(checkMethod(method), checkHeader(header)); err != nil {
		return Target{}, err
	}
	return target, allowed.Check(target.URL)
}

// member reads a member that may be absent.
func member(members map[string]json.RawMessage, name string, into any) error {
	raw, ok := members[name]
	if !ok {
		return nil
	}
	if bytes.Equal(raw, []byte("null")) {
		return fmt.Errorf("%w: %s is null; leave it out for its default", ErrDecode, name)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDecode, name, err)
	}
	return nil
}

// parseURL reads an absolute http or https URL. One with a password is refused:
// a config is no place for it, and it would end up in logs.
func parseURL(address string) (*url.URL, error) {
	if address == "" {
		return nil, ErrMissingURL
	}
	u, err := url.Parse(address)
	switch {
	case len(address) > maxURL:
		return nil, fmt.Errorf("%w: url is longer than %d bytes", ErrInvalid, maxURL)
	case err != nil:
		return nil, fmt.Errorf("%w: url does not parse", ErrInvalid)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: url must begin with http:// or https://", ErrInvalid)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: url has no host", ErrInvalid)
	case u.User != nil:
		return nil, fmt.Errorf("%w: url has a user in it", ErrInvalid)
	}
	return u, nil
}

func checkMethod(method string) error {
	if !isToken(method) || len(method) > 32 {
		return fmt.Errorf("%w: method is no word such as GET", ErrInvalid)
	}
	switch strings.ToUpper(method) {
	case "CONNECT", "TRACE":
		return fmt.Errorf("%w: method %s is not for a target", ErrInvalid, method)
	}
	return nil
}

// ofConnection are the fields that belong to a connection or to the framing of a
// message (RFC 9110, section 7.6.1): the worker's own, never a target's.
var ofConnection = map[string]bool{
	"connection": true, "content-length": true, "expect": true, "host": true, "http2-settings": true,
	"keep-alive": true, "proxy-authorization": true, "proxy-connection": true, "te": true, "trailer": true,
	"transfer-encoding": true, "upgrade": true,
}

const (
	maxFields    = 64
	maxFieldSize = 8 << 10
)

func checkHeader(header map[string]string) error {
	if len(header) > maxFields {
		return fmt.Errorf("%w: more than %d headers", ErrInvalid, maxFields)
	}
	seen := map[string]bool{}
	for name, value := range header {
		lower := strings.ToLower(name)
		switch {
		case !isToken(name) || len(name) > 256:
			return fmt.Errorf("%w: a header has a name that is none", ErrInvalid)
		case ofConnection[lower]:
			return fmt.Errorf("%w: header %s belongs to the connection", ErrInvalid, name)
		case seen[lower]:
			return fmt.Errorf("%w: header %s stands twice", ErrInvalid, name)
		case !isFieldValue(value):
			return fmt.Errorf("%w: header %s has a value that it cannot have", ErrInvalid, name)
		}
		seen[lower] = true
	}
	return nil
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue refuses what would end a line, or the message.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return len(s) <= maxFieldSize
}
