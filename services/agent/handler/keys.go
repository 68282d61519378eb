package handler

import (
	"net/http"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// keys answers GET /v1/signing-keys: what upstream lists, as far as it counts here,
// or what was kept of it while upstream does not answer. It is open, as it is at a
// controller.
func (h *Handler) keys(w http.ResponseWriter, r *http.Request) error {
	keys, err := h.Trust.Keys(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache")
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Keys config.Keys `json:"keys"`
	}{keys})
}
