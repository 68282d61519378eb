package handler

import (
	"net/http"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

const (
	maxReportBody = 1 << 20
	maxReports    = 1000
)

// takeReports answers POST /v1/reports: verdicts of workers, and fetches of
// agents below, to be handed upward. 202: they are accepted, not yet delivered.
func (h *Handler) takeReports(w http.ResponseWriter, r *http.Request) error {
	var reports config.Reports
	if err := httpapi.ReadJSON(w, r, maxReportBody, &reports); err != nil {
		return err
	}
	if len(reports.Applied)+len(reports.Fetched) > maxReports {
		return httpapi.Invalid("more than 1000 reports at once: send them in several requests")
	}
	for i := range reports.Applied {
		verdict := &reports.Applied[i]
		if verdict.Agent == "" {
			verdict.Agent = h.ID
		}
		if err := verdict.Check(); err != nil {
			return httpapi.Invalid(err.Error())
		}
	}
	for _, fetched := range reports.Fetched {
		if err := config.CheckAgentID(fetched.Agent); err != nil {
			return err
		}
		if _, err := config.ParseName(string(fetched.Namespace)); err != nil {
			return err
		}
	}
	h.reports.Add(float64(len(reports.Applied) + len(reports.Fetched)))
	h.Reporter.Add(reports)
	return httpapi.WriteJSON(w, http.StatusAccepted, struct {
		Accepted int `json:"accepted"`
	}{len(reports.Applied) + len(reports.Fetched)})
}
