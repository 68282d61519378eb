package gateway

import (
	"net/http"
	"net/http/httptest"
)

// TrustForTest has a client trust the certificate of a test's server.
func TrustForTest(c *Client, server *httptest.Server) {
	trusting := server.Client().Transport.(*http.Transport)
	c.http.Transport.(*http.Transport).TLSClientConfig = trusting.TLSClientConfig.Clone()
}

// AsksForProxyForTest says whether somebody else may dial for a client.
func AsksForProxyForTest(c *Client) bool { return c.http.Transport.(*http.Transport).Proxy != nil }
