package repository

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/telemetry"
)

// count has every statement of the store counted.
func (s *Store) count(t *testing.T, statements *atomic.Int64) {
	t.Helper()
	each := func(*gorm.DB) { statements.Add(1) }
	for _, db := range []*gorm.DB{s.reader, s.writer} {
		for _, err := range []error{
			db.Callback().Query().Before("*").Register("count", each), db.Callback().Row().Before("*").Register("count", each),
			db.Callback().Raw().Before("*").Register("count", each), db.Callback().Create().Before("*").Register("count", each),
			db.Callback().Update().Before("*").Register("count", each), db.Callback().Delete().Before("*").Register("count", each),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestUnchangedPullCostsNoSQL: nor does the pull of what there is not, nor what an
// agent's poll tells of the agent.
func TestUnchangedPullCostsNoSQL(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	quiet := slog.New(slog.DiscardHandler)
	configs, err := usecase.NewConfigs(t.Context(), s, s, s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := usecase.NewFleet(t.Context(), s, configs, 15*time.Second, quiet)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := usecase.NewTokens(t.Context(), s, "", quiet)
	if err != nil {
		t.Fatal(err)
	}
	routes := handler.New(handler.Parts{
		Configs: configs, Fleet: fleet, Tokens: tokens, Audit: usecase.NewAudit(s, quiet), Ready: s.Ready, Bus: func() string { return "none" }, Pending: func() int { return 0 },
		Epoch: s.Epoch(), Logger: quiet,
	}).Routes(telemetry.NewRegistry())
	ask := func(method, path, body, etag string, want int) http.Header {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Herald-Agent", "host-7")
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, r)
		if w.Code != want {
			t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, want, w.Body)
		}
		return w.Header()
	}

	var statements atomic.Int64
	s.count(t, &statements)
	const config, snapshot = "/v1/namespaces/payments/configs/limits", "/v1/namespaces/payments/snapshot"
	ask("POST", "/v1/agents", `{"id":"host-7","namespaces":["payments"]}`, "", 200)
	ask("PUT", config, `{"rps":50}`, "", 201)
	if statements.Load() < 5 {
		t.Fatalf("a PUT is %d statements: they are not counted", statements.Load())
	}
	statements.Store(0)
	etag, one := ask("GET", snapshot, "", "", 200).Get("ETag"), ask("GET", config, "", "", 200).Get("ETag")
	for i := range 100 {
		ask("GET", snapshot, "", etag, 304)
		ask("GET", config, "", one, 304)
		ask("GET", fmt.Sprintf("/v1/namespaces/n%d/snapshot", i), "", "", 404)
		ask("POST", "/v1/agents/host-7/reports", `{"applied":[{"worker":"w","agent":"","namespace":"payments","revision":1,"epoch":"","status":"applied","at":"2026-08-21T12:00:00Z","took_ms":1}]}`, "", 200)
		ask("GET", "/v1/namespaces/payments/fleet", "", "", 200)
	}
	if n := statements.Load(); n != 0 {
		t.Errorf("%d statements for what is in memory", n)
	}
}
