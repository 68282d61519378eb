package handler

import (
	"net/http"

	"github.com/heraldconf/herald/shared/httpapi"
)

// An outliving ResponseWriter answers 401 in the place of what came too late: a
// request may be held for a minute, and a token that was revoked meanwhile opens
// nothing any more.
type outliving struct {
	http.ResponseWriter
	live  func() error
	begun bool
	dead  bool
}

func (h *Handler) outliving(w http.ResponseWriter, r *http.Request, token string) http.ResponseWriter {
	if token == "" || r.Header.Get("Prefer") == "" {
		return w
	}
	return &outliving{ResponseWriter: w, live: func() error { return h.Tokens.Live(token) }}
}

func (o *outliving) WriteHeader(status int) {
	if o.begun {
		return
	}
	o.begun = true
	err := o.live()
	if err == nil {
		o.ResponseWriter.WriteHeader(status)
		return
	}
	o.dead = true
	clear(o.Header())
	httpapi.WriteProblem(o.ResponseWriter, httpapi.ProblemOf(statuses, err))
}

func (o *outliving) Write(b []byte) (int, error) {
	if o.WriteHeader(http.StatusOK); o.dead {
		return len(b), nil
	}
	return o.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (o *outliving) Unwrap() http.ResponseWriter { return o.ResponseWriter }
