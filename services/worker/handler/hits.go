package handler

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/heraldconf/herald/services/worker/domain"
	"github.com/heraldconf/herald/shared/config"
)

// hit answers GET /hit with what the target answers, and with the revision by
// which it was asked. The body is somebody else's: it is nobody's page.
func (h *Handler) hit(w http.ResponseWriter, r *http.Request) error {
	answer, at, err := h.Hits.Hit(r.Context())
	h.hits.WithLabelValues(outcome(err)).Inc()
	setRevision(w.Header(), at)
	if err != nil {
		return err
	}
	header := w.Header()
	header["Content-Type"] = nil // where the target says none, none is made up
	if answer.ContentType != "" {
		header.Set("Content-Type", answer.ContentType)
	}
	if answer.ContentEncoding != "" {
		header.Set("Content-Encoding", answer.ContentEncoding)
	}
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "sandbox")
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // a status without a body takes none
	return nil
}

func setRevision(h http.Header, at config.Position) {
	if at.Revision > 0 {
		h.Set("Herald-Epoch", string(at.Epoch))
		h.Set("Herald-Revision", strconv.FormatInt(int64(at.Revision), 10))
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "answered"
	case errors.Is(err, domain.ErrNoTarget):
		return "no_target"
	case errors.Is(err, domain.ErrTargetTimeout):
		return "timeout"
	}
	return "failed"
}
