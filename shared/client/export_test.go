package client

import (
	"context"
	"net"
	"net/http"
)

// DialWith gives a client connections of a test's own.
func (c *Client) DialWith(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.http.Transport.(*http.Transport).DialContext = dial
	c.http.Transport.(*http.Transport).DisableKeepAlives = true
}
