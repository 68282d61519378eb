package handler

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

const maxReports = 4 << 20

// postReports answers POST /v1/agents/{id}/reports. What cannot be believed is
// counted and left out, so that one bad report does not hold back the others.
func (h *Handler) postReports(w http.ResponseWriter, r *http.Request) error {
	id, err := agentOf(r)
	if err != nil {
		return err
	}
	if actor := actorOf(r); !h.Fleet.Hears(actor, id) {
		return fmt.Errorf("%w: the token %s does not speak for the agent %s", domain.ErrForbidden, actor.Name, id)
	}
	var reports config.Reports
	if err := httpapi.ReadJSON(w, r, maxReports, &reports); err != nil {
		return err
	}
	h.Fleet.Asking(id)()
	var answer struct {
		Recorded int `json:"recorded"`
		Refused  int `json:"refused"`
		signs
	}
	for _, err := range h.record(r, id, reports) {
		switch {
		case err == nil:
			answer.Recorded++
		case errors.Is(err, usecase.ErrUnavailable), errors.Is(err, usecase.ErrFull):
			return err // it is to be sent again
		default:
			answer.Refused++
		}
	}
	answer.Refused += h.seen(r, reports.Seen, &answer.signs)
	h.metrics.reports.WithLabelValues("refused").Add(float64(answer.Refused))
	h.metrics.reports.WithLabelValues("recorded").Add(float64(answer.Recorded))
	return httpapi.WriteJSON(w, http.StatusOK, answer)
}

// record notes each report and returns what became of it. A report that does not
// say of which agent is of the one that sends it.
func (h *Handler) record(r *http.Request, id string, reports config.Reports) []error {
	var outcomes []error
	for _, verdict := range reports.Applied {
		if verdict.Agent == "" {
			verdict.Agent = id
		}
		err := verdict.Check()
		if err == nil {
			err = h.own(r, id, verdict.Agent, verdict.Namespace)
		}
		if err == nil {
			err = h.Fleet.Record(r.Context(), verdict)
		}
		outcomes = append(outcomes, err)
	}
	for _, fetched := range reports.Fetched {
		if fetched.Agent == "" {
			fetched.Agent = id
		}
		err := h.own(r, id, fetched.Agent, fetched.Namespace)
		if err == nil {
			err = h.Fleet.Fetched(r.Context(), fetched)
		}
		outcomes = append(outcomes, err)
	}
	for _, stopped := range reports.Stopped {
		if stopped.Agent == "" {
			stopped.Agent = id
		}
		err := stopped.Check()
		if err == nil {
			err = h.own(r, id, stopped.Agent, stopped.Namespace)
		}
		if err == nil {
			err = h.Fleet.Stopped(r.Context(), stopped)
		}
		outcomes = append(outcomes, err)
	}
	return outcomes
}

// own returns an error that wraps domain.ErrForbidden for a report that a token
// cannot make: of a namespace that it does not open ("" for what is of none), or of
// an agent that another token registered. An agent speaks for those below it that
// its own token registered, as when it passed their registrations on, and for those
// that nobody did.
func (h *Handler) own(r *http.Request, id, of string, namespace config.Name) error {
	token := tokenOf(r)
	if token.Role == domain.Admin {
		return nil
	}
	if (namespace != "" && !token.Namespaces.Holds(namespace)) || (of != id && !h.Fleet.Hears(token.Actor(), of)) {
		return fmt.Errorf("%w: a report of %s on %s from %s", domain.ErrForbidden, of, namespace, id)
	}
	return nil
}
