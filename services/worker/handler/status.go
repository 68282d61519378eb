package handler

import (
	"net/http"

	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/sdk"
)

type busStatus struct {
	State string `json:"state"`
}

type status struct {
	sdk.Status
	Bus busStatus `json:"bus"`
}

// status answers GET /v1/status.
func (h *Handler) status(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.WriteJSON(w, http.StatusOK, status{Status: h.Watcher.Status(), Bus: busStatus{State: string(h.Bus.State())}})
}

// healthz answers that the process is alive.
func (h *Handler) healthz(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz answers 200 once the worker runs on a config.
func (h *Handler) readyz(w http.ResponseWriter, _ *http.Request) error {
	s := h.Watcher.Status()
	if s.Running != nil {
		return httpapi.WriteJSON(w, http.StatusOK, map[string]string{"status": "ready", "bus": string(h.Bus.State())})
	}
	why := "the worker runs on no config yet"
	switch {
	case s.LastRejected != nil:
		why += ": revision rejected, " + s.LastRejected.Message
	case s.Agent.LastError != "":
		why += ": " + s.Agent.LastError
	}
	return httpapi.NewProblem(http.StatusServiceUnavailable, "unavailable", why)
}
