package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/settings"
)

// call runs herald in this process against a server.
func call(t *testing.T, server http.Handler, args ...string) (stdout string, err error) {
	t.Helper()
	listening := httptest.NewServer(server)
	defer listening.Close()
	cmd := root()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&bytes.Buffer{})
	cmd.SetArgs(append(args, "--server", listening.URL))
	err = settings.Execute(t.Context(), cmd)
	return out.String(), err
}

// A controller that answers, but cannot write, says why; and it is code 7.
func TestStatusOfOneThatIsNotReady(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		httpapi.WriteProblem(w, httpapi.NewProblem(http.StatusServiceUnavailable, "unavailable", "the store cannot be written"))
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpapi.WriteJSON(w, http.StatusOK, map[string]any{"version": "1.2", "bus": map[string]string{"state": "down"}})
	})
	mux.HandleFunc("GET /v1/namespaces", func(w http.ResponseWriter, _ *http.Request) {
		_ = httpapi.WriteJSON(w, http.StatusOK, map[string]any{"namespaces": []any{}})
	})
	out, err := call(t, mux, "status")
	if exitCode(err) != exitUnavailable {
		t.Errorf("code %d: %v", exitCode(err), err)
	}
	rows := bytes.Fields([]byte(out))
	got := string(bytes.Join(rows[2:], []byte(" "))) // without the address
	if want := "ready no: the store cannot be written version 1.2 bus down"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
