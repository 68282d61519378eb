package handler

import (
	_ "embed"
	"net/http"
	"strconv"
)

// contract is the OpenAPI document of all that the controller answers by HTTP. The
// tests hold every answer against it.
//
//go:embed openapi.yaml
var contract []byte

// getContract answers GET /openapi.yaml.
func (h *Handler) getContract(w http.ResponseWriter, _ *http.Request) error {
	out := w.Header()
	out.Set("Content-Type", "application/yaml")
	out.Set("Content-Length", strconv.Itoa(len(contract)))
	out.Set("Cache-Control", "no-cache")
	_, _ = w.Write(contract) // the client has gone if this fails
	return nil
}
