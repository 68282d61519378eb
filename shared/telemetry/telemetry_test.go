package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/telemetry"
)

func TestLoggerFormats(t *testing.T) {
	for format, want := range map[string]string{
		"text": `level=WARN msg="a poll failed" namespace=payments error="line 1\nline 2"`,
		"json": `"level":"WARN","msg":"a poll failed","namespace":"payments","error":"line 1\nline 2"}`,
	} {
		var log bytes.Buffer
		logger, err := telemetry.NewLogger(&log, format, "info")
		if err != nil {
			t.Fatal(err)
		}
		logger.Warn("a poll failed", "namespace", "payments", "error", "line 1\nline 2")
		if !strings.Contains(log.String(), want) || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%s: %s", format, &log)
		}
		if format == "json" && !json.Valid(log.Bytes()) {
			t.Errorf("%s", &log)
		}
	}
}

func TestLoggerLevels(t *testing.T) {
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1, "WARN": 2} {
		var log bytes.Buffer
		logger, err := telemetry.NewLogger(&log, "text", level)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			logger.Log(t.Context(), at, "said")
		}
		if got := strings.Count(log.String(), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d", level, got, want)
		}
	}
}

func TestLoggerRefuses(t *testing.T) {
	for _, c := range []struct{ format, level, says string }{
		{"text", "loud", `--log-level "loud": use debug, info, warn or error`},
		{"text", "", `--log-level "": use debug`},
		{"xml", "info", `--log-format "xml": use text or json`},
		{"", "info", `--log-format "": use text or json`},
		{"JSON", "info", `--log-format "JSON"`},
	} {
		logger, err := telemetry.NewLogger(&bytes.Buffer{}, c.format, c.level)
		if logger != nil || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q %q: %v, want %q", c.format, c.level, err, c.says)
		}
	}
}

// Several services live in one process, each with what it counts itself.
func TestExposition(t *testing.T) {
	one, other := telemetry.NewRegistry(), telemetry.NewRegistry()
	value := 1.0
	telemetry.Gauge(one, "bus_up", "1 while notifications can be had.", func() float64 { return value })
	telemetry.Gauge(other, "bus_up", "1 while notifications can be had.", func() float64 { return 0 })
	polls := telemetry.Counter(one, "polls_total", "Polls, by how they ended.", "outcome")
	polls.WithLabelValues("unchanged").Add(2)
	polls.WithLabelValues(`a "quoted"` + "\n").Inc()
	telemetry.Counter(one, "reports_total", "Reports.").WithLabelValues().Inc()
	value = 0.5

	text := exposition(t, telemetry.Metrics(one))
	for _, line := range []string{
		"# HELP herald_bus_up 1 while notifications can be had.\n# TYPE herald_bus_up gauge\nherald_bus_up 0.5\n",
		"# TYPE herald_polls_total counter\n",
		`herald_polls_total{outcome="unchanged"} 2` + "\n",
		`herald_polls_total{outcome="a \"quoted\"\n"} 1` + "\n",
		"herald_reports_total 1\n",
		"go_goroutines ",
		"process_open_fds ",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
	if text := exposition(t, telemetry.Metrics(other)); !strings.Contains(text, "herald_bus_up 0\n") || strings.Contains(text, "polls") {
		t.Errorf("%s", text)
	}
}

func exposition(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%d %s", w.Code, w.Header())
	}
	return w.Body.String()
}
