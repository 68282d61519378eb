package handler_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/telemetry"
)

// benchmarked returns the routes of a controller with 100 configs of a namespace.
func benchmarked(b *testing.B) http.Handler {
	b.Helper()
	store, err := repository.Open(b.Context(), filepath.Join(b.TempDir(), "c.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	quiet := slog.New(slog.DiscardHandler)
	configs, err := usecase.NewConfigs(b.Context(), store, store, store, quiet)
	if err != nil {
		b.Fatal(err)
	}
	fleet, err := usecase.NewFleet(b.Context(), store, configs, interval, quiet)
	if err != nil {
		b.Fatal(err)
	}
	tokens, err := usecase.NewTokens(b.Context(), store, "", quiet)
	if err != nil {
		b.Fatal(err)
	}
	routes := handler.New(handler.Parts{
		Configs: configs, Fleet: fleet, Tokens: tokens, Audit: usecase.NewAudit(store, quiet), Ready: store.Ready, Bus: func() string { return "none" }, Pending: func() int { return 0 },
		Epoch: store.Epoch(), Logger: quiet,
	}).Routes(telemetry.NewRegistry())
	for i := range 100 {
		if code := serve(b, routes, "PUT", fmt.Sprintf("/v1/namespaces/payments/configs/c%d", i), `{"pad":"`+strings.Repeat("x", 1000)+`"}`).Code; code != 201 {
			b.Fatalf("status %d", code)
		}
	}
	return routes
}

func serve(b *testing.B, routes http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, r)
	return w
}

// BenchmarkUnchangedPull is a 304 of a snapshot.
func BenchmarkUnchangedPull(b *testing.B) {
	routes := benchmarked(b)
	etag := serve(b, routes, "GET", "/v1/namespaces/payments/snapshot", "").Header().Get("ETag")
	b.ReportAllocs()
	for b.Loop() {
		if code := serve(b, routes, "GET", "/v1/namespaces/payments/snapshot", "", "If-None-Match", etag).Code; code != 304 {
			b.Fatalf("status %d", code)
		}
	}
}

// BenchmarkPut is a change of one config of a hundred, on disk when it is answered.
func BenchmarkPut(b *testing.B) {
	routes := benchmarked(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if code := serve(b, routes, "PUT", "/v1/namespaces/payments/configs/c0", fmt.Sprint(i)).Code; code != 200 {
			b.Fatalf("status %d", code)
		}
	}
}

// BenchmarkFleet is the fleet of a namespace with ten thousand workers, every tenth of
// which refuses with a reason of 200 bytes.
func BenchmarkFleet(b *testing.B) {
	routes := benchmarked(b)
	for agent := range 10 {
		var reports config.Reports
		for i := range 1000 {
			v := config.Verdict{
				Worker: fmt.Sprintf("worker-%d-%d", agent, i), Namespace: "payments", Revision: 1, Status: config.Applied, At: time.Now(),
			}
			if reports.Applied = append(reports.Applied, v); i%10 == 0 {
				v.Revision, v.Status, v.Code, v.Message = 2, config.Rejected, "decode", strings.Repeat("x", 200)
				reports.Applied = append(reports.Applied, v)
			}
		}
		body, err := json.Marshal(reports)
		if err != nil {
			b.Fatal(err)
		}
		if w := serve(b, routes, "POST", fmt.Sprintf("/v1/agents/host-%d/reports", agent), string(body), "Content-Type", "application/json"); w.Code != 200 {
			b.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		size = serve(b, routes, "GET", "/v1/namespaces/payments/fleet", "").Body.Len()
	}
	b.ReportMetric(float64(size), "bytes")
}
