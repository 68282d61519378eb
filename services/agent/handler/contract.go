package handler

import (
	_ "embed"
	"net/http"
	"strconv"
)

// Contract is the OpenAPI document of all that an agent answers by HTTP. The tests
// hold its answers against it.
//
//go:embed openapi.yaml
var Contract []byte

// contract answers GET /openapi.yaml.
func (h *Handler) contract(w http.ResponseWriter, _ *http.Request) error {
	out := w.Header()
	out.Set("Content-Type", "application/yaml")
	out.Set("Content-Length", strconv.Itoa(len(Contract)))
	out.Set("Cache-Control", "no-cache")
	_, _ = w.Write(Contract) // the client has gone if this fails
	return nil
}
