package handler

import (
	"net/http"
	"slices"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
)

// snapshot answers GET /v1/namespaces/{ns}/snapshot.
func (h *Handler) snapshot(w http.ResponseWriter, r *http.Request) error {
	id := pull.Asker(r)
	defer h.Fleet.Asking(id)()
	if id != "" {
		h.confirmed(r, id)
	}
	answer := &counted{ResponseWriter: w}
	err := h.pull.ServeSnapshot(answer, r)
	h.metrics.pulled(answer.status, err)
	return err
}

// getConfig answers GET /v1/namespaces/{ns}/configs/{name}.
func (h *Handler) getConfig(w http.ResponseWriter, r *http.Request) error {
	if at := r.URL.Query().Get("revision"); at != "" {
		return h.getConfigAt(w, r, at)
	}
	defer h.Fleet.Asking(pull.Asker(r))()
	return h.pull.ServeConfig(w, r)
}

// decorate tells an agent its poll interval with every answer.
func (h *Handler) decorate(out http.Header, r *http.Request, _ config.Name) {
	pull.SetInterval(out, h.Fleet.Interval(pull.Asker(r)))
}

// confirmed records what an agent holds, as its ETag says: it sends one only for a
// body that it has verified and kept.
func (h *Handler) confirmed(r *http.Request, id string) {
	namespace, err := namespaceOf(r)
	if err != nil {
		return
	}
	latest, _, err := h.Configs.Latest(r.Context(), namespace)
	if err != nil {
		return
	}
	if tags, _ := config.HeldETags(r.Header.Values("If-None-Match")); slices.Contains(tags, latest.ETag) {
		_ = h.Fleet.Fetched(r.Context(), config.Fetched{ // what cannot be noted now will be the next time
			Agent: id, Namespace: namespace, Epoch: latest.Epoch, Revision: latest.Revision,
		})
	}
}

// A counted ResponseWriter remembers the status of its answer.
type counted struct {
	http.ResponseWriter
	status int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }
