package handler_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/services/agent/handler"
	"github.com/heraldconf/herald/services/agent/usecase"
	"github.com/heraldconf/herald/shared/contract"
	"github.com/heraldconf/herald/shared/telemetry"
)

// TestContractHasEveryRoute: neither of the two may have what the other has not.
// What is answered is held against the contract in the tests of package agent.
func TestContractHasEveryRoute(t *testing.T) {
	c, err := contract.Parse(handler.Contract)
	if err != nil {
		t.Fatal(err)
	}
	var operations []string
	for _, operation := range c.Operations() {
		operations = append(operations, operation.Pattern())
	}
	routes := handler.Patterns()
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

// TestStrangersAreAnsweredAsPromised: from elsewhere, without a token, every route
// is open or answers 401 as its contract has it.
func TestStrangersAreAnsweredAsPromised(t *testing.T) {
	c, err := contract.Parse(handler.Contract)
	if err != nil {
		t.Fatal(err)
	}
	none, err := bus.Open("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	syncer := usecase.NewSyncer(nil, handler.Nowhere{}, nil, slog.New(slog.DiscardHandler))
	h := &handler.Handler{Syncer: syncer, Tokens: []string{"secret"}, Bus: none, Metrics: telemetry.NewRegistry()}
	routes := h.Routes()
	for path, want := range map[string]int{
		"GET /v1/namespaces/payments/snapshot": 401, "GET /v1/namespaces/payments/configs/limits": 401, "POST /v1/reports": 401, "GET /metrics": 401,
		"GET /openapi.yaml": 200, "GET /healthz": 200, "GET /readyz": 200,
	} {
		method, path, _ := strings.Cut(path, " ")
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
		if err := c.Serve(routes, w, r); err != nil {
			t.Error(err)
		}
		if w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
