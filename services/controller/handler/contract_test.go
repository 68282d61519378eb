package handler_test

import (
	_ "embed"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/shared/contract"
)

//go:embed openapi.yaml
var openapi []byte

// promised is the controller's contract; every request of these tests is held
// against it.
var promised = mustParse(openapi)

func mustParse(text []byte) *contract.Contract {
	c, err := contract.Parse(text)
	if err != nil {
		panic(err)
	}
	return c
}

// serveAsPromised answers a request as the contract has it.
func serveAsPromised(t *testing.T, routes http.Handler, w *httptest.ResponseRecorder, r *http.Request) {
	t.Helper()
	if err := promised.Serve(routes, w, r); err != nil {
		t.Errorf("against openapi.yaml: %v", err)
	}
}

func TestContractIsServed(t *testing.T) {
	a := newSite(t).ask("GET", "/openapi.yaml", "").expect(200).header(map[string]string{"Content-Type": "application/yaml"})
	if a.Body.String() != string(openapi) {
		t.Error("what is served is another document")
	}
}

// TestContractHasEveryRoute: neither of the two may have what the other has not.
func TestContractHasEveryRoute(t *testing.T) {
	routes, operations := handler.Patterns(), []string(nil)
	for _, operation := range promised.Operations() {
		operations = append(operations, operation.Pattern())
	}
	for _, pattern := range routes {
		if !slices.Contains(operations, pattern) {
			t.Errorf("openapi.yaml lacks %s", pattern)
		}
	}
	for _, pattern := range operations {
		if !slices.Contains(routes, pattern) {
			t.Errorf("openapi.yaml has %s, which nobody answers", pattern)
		}
	}
}
