package handler

import (
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// A state is how one of the things stands that the controller leans on.
type state struct {
	State string `json:"state"` // ok, down or none
}

// healthz answers GET /healthz: the process lives.
func (h *Handler) healthz(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz answers GET /readyz: 200 while the store is open and can really be
// written, and a problem that says why otherwise. A bus that is down slows the
// news; it makes nothing wrong, and the controller stays ready.
func (h *Handler) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := h.Ready(r.Context()); err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Ready bool  `json:"ready"`
		Store state `json:"store"`
		Bus   state `json:"bus"`
	}{true, state{"ok"}, state{h.Bus()}})
}

// status answers GET /v1/status.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) error {
	store := state{"ok"}
	if h.Ready(r.Context()) != nil {
		store.State = "down"
	}
	agents, workers := h.Fleet.Census(r.Context())
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Version string                    `json:"version"`
		Epoch   config.Epoch              `json:"epoch"`
		Store   state                     `json:"store"`
		Bus     state                     `json:"bus"`
		Pending int                       `json:"outbox"`
		Agents  map[domain.AgentState]int `json:"agents"`
		Workers usecase.Summary           `json:"workers"`
	}{h.Version, h.Epoch, store, state{h.Bus()}, h.Pending(), agents, workers})
}
