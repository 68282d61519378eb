package handler

import (
	"fmt"
	"net/http"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

type upstreamStatus struct {
	URL         string    `json:"url"`
	State       string    `json:"state"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastError   string    `json:"last_error"`
}

type busStatus struct {
	State string `json:"state"`
}

type namespaceStatus struct {
	Epoch    config.Epoch    `json:"epoch"`
	Revision config.Revision `json:"revision"`
	ETag     config.ETag     `json:"etag"`
	Age      int64           `json:"age_seconds"`
	Stale    bool            `json:"stale"`
	Error    string          `json:"error,omitempty"`
}

type status struct {
	ID         string                          `json:"id"`
	Upstream   upstreamStatus                  `json:"upstream"`
	Bus        busStatus                       `json:"bus"`
	Namespaces map[config.Name]namespaceStatus `json:"namespaces"`
}

// status answers GET /v1/status.
func (h *Handler) status(w http.ResponseWriter, _ *http.Request) error {
	upstream := h.Upstream.State()
	answer := status{
		ID:         h.ID,
		Upstream:   upstreamStatus{URL: upstream.URL, State: "down", LastSuccess: upstream.LastSuccess, LastError: upstream.LastError},
		Bus:        busStatus{State: string(h.Bus.State())},
		Namespaces: map[config.Name]namespaceStatus{},
	}
	if upstream.OK {
		answer.Upstream.State = "ok"
	}
	for _, namespace := range h.Syncer.Followed() {
		answer.Namespaces[namespace] = h.namespaceStatus(namespace)
	}
	return httpapi.WriteJSON(w, http.StatusOK, answer)
}

// namespaceStatus says what is held of a namespace; revision 0 is nothing yet.
func (h *Handler) namespaceStatus(namespace config.Name) namespaceStatus {
	held := h.Syncer.Holding(namespace)
	var s namespaceStatus
	if held.Err != nil {
		s.Error = held.Err.Error()
	}
	if held.Snapshot != nil {
		s.Epoch, s.Revision, s.ETag = held.Snapshot.Epoch, held.Snapshot.Revision, held.Snapshot.ETag
		s.Age, s.Stale = int64(held.Age(time.Now())/time.Second), held.Stale
	}
	return s
}

// healthz answers that the process is alive.
func (h *Handler) healthz(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz answers 200 once every namespace that was asked for at the start is
// served; stale counts.
func (h *Handler) readyz(w http.ResponseWriter, _ *http.Request) error {
	for _, namespace := range h.Required {
		if err := h.Syncer.Holding(namespace).Check(); err != nil {
			return httpapi.NewProblem(http.StatusServiceUnavailable, "unavailable", fmt.Sprintf("namespace %s: %v", namespace, err))
		}
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]string{"status": "ready", "bus": string(h.Bus.State())})
}
