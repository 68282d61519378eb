package handler

import (
	"net/http"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// A keysBody is a list of public keys, newest first.
type keysBody struct {
	DryRun bool        `json:"dry_run,omitempty"` // a key would be added to these
	Keys   config.Keys `json:"keys"`
}

// listKeys answers GET /v1/signing-keys, which is open to everybody: the keys are
// public, and who asks cannot have been told a token yet.
func (h *Handler) listKeys(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-cache")
	return httpapi.WriteJSON(w, http.StatusOK, keysBody{Keys: h.Signing.Keys()})
}

// rotateKey answers POST /v1/signing-keys: 201, and the chain with the new key. There
// is nothing to say of it. Where it is only tried: 200, and the chain as it is.
func (h *Handler) rotateKey(w http.ResponseWriter, r *http.Request) error {
	if err := httpapi.ReadOptionalJSON(w, r, maxUndo, &struct{}{}); err != nil {
		return err
	}
	dry, err := switchOf(r, "dry_run")
	if err != nil {
		return err
	}
	if dry {
		keys, err := h.Signing.TryRotate()
		if err != nil {
			return err
		}
		return httpapi.WriteJSON(w, http.StatusOK, keysBody{true, keys})
	}
	keys, err := h.Signing.Rotate(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusCreated, keysBody{Keys: keys})
}
