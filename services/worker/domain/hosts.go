package domain

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Hosts are those that a target may have. The zero value allows none.
//
// The rule, for a URL, for each redirect, and for each address that is dialled:
//
//   - The host of the URL stands in the list, and so does its port where the list
//     names one. Names are compared without regard to case, addresses as
//     addresses. There are no wildcards.
//   - An address in the list may be dialled, whatever name stands for it.
//   - The name localhost stands for loopback addresses alone.
//   - Any other name may stand for whatever it resolves to, but for addresses of
//     the host itself and of its link: loopback, link-local (where clouds keep
//     their credentials), multicast and unspecified ones. So nobody who controls a
//     name that is allowed reaches through it what is only there for this host.
type Hosts struct {
	entries []hostEntry
}

// A hostEntry allows a name or an address, on one port or on any.
type hostEntry struct {
	name    string     // lower case, without a dot at the end; "" for an address
	address netip.Addr // not valid for a name
	port    string     // "" for any
}

// ParseHosts reads hosts as an operator lists them: 127.0.0.1, localhost, [::1],
// each with an optional :PORT.
func ParseHosts(list []string) (Hosts, error) {
	var hosts Hosts
	for _, s := range list {
		entry, err := parseHost(strings.TrimSpace(s))
		if err != nil {
			return Hosts{}, err
		}
		hosts.entries = append(hosts.entries, entry)
	}
	if len(hosts.entries) == 0 {
		return Hosts{}, fmt.Errorf("no host is allowed: name one, as in 127.0.0.1")
	}
	return hosts, nil
}

func parseHost(s string) (hostEntry, error) {
	if address, err := netip.ParseAddr(s); err == nil { // an IPv6 address without brackets has colons too
		return hostEntry{address: address.Unmap()}, nil
	}
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return hostEntry{}, fmt.Errorf("host %q: the port must be 1 to 65535", s)
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !strings.HasSuffix(inner, "]") || address.Zone() != "" {
			return hostEntry{}, fmt.Errorf("host %q: write an address in brackets as in [::1]", s)
		}
		return hostEntry{address: address.Unmap(), port: port}, nil
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return hostEntry{address: address.Unmap(), port: port}, nil
	}
	if !isHostName(host) {
		return hostEntry{}, fmt.Errorf("host %q: write a name or an address, as in localhost, 127.0.0.1, [::1]:8080", s)
	}
	return hostEntry{name: normalName(host), port: port}, nil
}

func isHostName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return s != "" && s != "." && len(s) <= 253
}

func normalName(s string) string { return strings.TrimSuffix(strings.ToLower(s), ".") }

// Check returns nil if a target may have this URL, else an error that wraps
// ErrHostNotAllowed. Its scheme decides on the port where it names none.
func (h Hosts) Check(u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return h.CheckHost(u.Hostname(), port)
}

// CheckHost returns nil if a target may have this host, a name or an address, on
// this port.
func (h Hosts) CheckHost(host, port string) error {
	address, err := netip.ParseAddr(host)
	allowed := func(e hostEntry) bool { return e.name != "" && e.name == normalName(host) }
	if err == nil {
		allowed = func(e hostEntry) bool { return e.address == address.Unmap() }
	}
	if !h.any(port, allowed) {
		return fmt.Errorf("%w: %s", ErrHostNotAllowed, host)
	}
	return nil
}

// CheckAddress returns nil if a host that CheckHost allows may stand for this
// address.
func (h Hosts) CheckAddress(host string, address netip.Addr, port string) error {
	address = address.Unmap()
	if h.any(port, func(e hostEntry) bool { return e.address == address }) {
		return nil
	}
	_, err := netip.ParseAddr(host)
	isName := err != nil
	ofThisHost := address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsMulticast() || address.IsUnspecified()
	if normalName(host) == "localhost" && address.IsLoopback() || isName && normalName(host) != "localhost" && !ofThisHost {
		return nil
	}
	return fmt.Errorf("%w: %s stands for %s", ErrHostNotAllowed, host, address)
}

func (h Hosts) any(port string, allowed func(hostEntry) bool) bool {
	return slices.ContainsFunc(h.entries, func(e hostEntry) bool {
		return (e.port == "" || e.port == port) && allowed(e)
	})
}
