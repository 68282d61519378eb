package handler

import (
	"errors"
	"net/http"

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
	var reports config.Reports
	if err := httpapi.ReadJSON(w, r, maxReports, &reports); err != nil {
		return err
	}
	h.Fleet.Asking(id)()
	var answer struct {
		Recorded int `json:"recorded"`
		Refused  int `json:"refused"`
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
			err = h.Fleet.Record(r.Context(), verdict)
		}
		outcomes = append(outcomes, err)
	}
	for _, fetched := range reports.Fetched {
		if fetched.Agent == "" {
			fetched.Agent = id
		}
		outcomes = append(outcomes, h.Fleet.Fetched(r.Context(), fetched))
	}
	return outcomes
}
