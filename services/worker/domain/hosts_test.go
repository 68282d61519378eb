package domain_test

import (
	"errors"
	"net/netip"
	"net/url"
	"testing"

	"github.com/heraldconf/herald/services/worker/domain"
)

func TestHostsOfURLs(t *testing.T) {
	allowed := hosts(t, "127.0.0.1", "localhost:8080", "[::1]:443", "API.example.com.", "10.0.0.1:80", "2001:db8::1")
	for address, want := range map[string]bool{
		"http://127.0.0.1/":             true,
		"http://127.0.0.1:9999/":        true,
		"http://[::ffff:127.0.0.1]/":    true,
		"http://127.0.0.2/":             false,
		"http://localhost:8080/":        true,
		"http://LocalHost.:8080/":       true,
		"http://localhost/":             false,
		"https://[::1]/":                true,
		"http://[::1]/":                 false,
		"http://[0:0:0:0:0:0:0:1]:443/": true,
		"http://api.example.com/":       true,
		"https://api.EXAMPLE.com:8443/": true,
		"http://x.api.example.com/":     false,
		"http://api.example.com.evil/":  false,
		"http://10.0.0.1/":              true,
		"https://10.0.0.1/":             false,
		"http://10.0.0.1:81/":           false,
		"http://[2001:DB8::1]:1/":       true,
		"http://0x7f.0.0.1/":            false,
		"http://0177.0.0.1/":            false,
		"http://127.1/":                 false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		err = allowed.Check(u)
		if (err == nil) != want || err != nil && !errors.Is(err, domain.ErrHostNotAllowed) {
			t.Errorf("%s: %v, want allowed %v", address, err, want)
		}
	}
	if err := (domain.Hosts{}).CheckHost("127.0.0.1", "80"); err == nil {
		t.Error("the zero value allows something")
	}
}

func TestAddressesThatAHostMayStandFor(t *testing.T) {
	allowed := hosts(t, "127.0.0.1:80", "localhost", "api.example.com", "10.0.0.1", "metadata.example.com")
	for _, c := range []struct {
		host, address, port string
		want                bool
	}{
		{"127.0.0.1", "127.0.0.1", "80", true},
		{"localhost", "127.0.0.1", "8080", true},
		{"localhost", "::1", "8080", true},
		{"LOCALHOST.", "127.8.8.8", "8080", true},
		{"localhost", "10.0.0.2", "8080", false},
		{"localhost", "93.184.216.34", "80", false},
		{"localhost", "10.0.0.1", "80", true}, // stands in the list itself
		{"api.example.com", "93.184.216.34", "443", true},
		{"api.example.com", "2001:db8::7", "443", true},
		{"api.example.com", "192.168.1.7", "443", true}, // names of an inner network are fine
		{"api.example.com", "127.0.0.1", "443", false},
		{"api.example.com", "127.0.0.1", "80", true}, // stands in the list itself, on this port
		{"api.example.com", "::ffff:127.0.0.1", "443", false},
		{"api.example.com", "127.0.0.53", "443", false},
		{"api.example.com", "::1", "443", false},
		{"metadata.example.com", "169.254.169.254", "80", false},
		{"metadata.example.com", "fe80::1", "80", false},
		{"api.example.com", "0.0.0.0", "80", false},
		{"api.example.com", "::", "80", false},
		{"api.example.com", "224.0.0.1", "80", false},
		{"10.0.0.2", "10.0.0.2", "80", false},
	} {
		err := allowed.CheckAddress(c.host, netip.MustParseAddr(c.address), c.port)
		if (err == nil) != c.want || err != nil && !errors.Is(err, domain.ErrHostNotAllowed) {
			t.Errorf("%s standing for %s on %s: %v, want allowed %v", c.host, c.address, c.port, err, c.want)
		}
	}
}

func TestHostsThatCannotBe(t *testing.T) {
	for _, list := range [][]string{
		nil, {""}, {"a b"}, {"http://localhost"}, {"localhost:"}, {"localhost:0"}, {"localhost:65536"}, {"localhost:http"},
		{"localhost:080"}, {"[::1"}, {"[localhost]"}, {"[fe80::1%eth0]"}, {"*.example.com"}, {"10.0.0.0/8"}, {"."}, {"ok", "not/ok"},
	} {
		if _, err := domain.ParseHosts(list); err == nil {
			t.Errorf("%q was taken", list)
		}
	}
}
