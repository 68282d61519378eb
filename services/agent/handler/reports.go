package handler

import (
	"cmp"
	"context"
	"net/http"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/pull"
)

const (
	maxReportBody = 1 << 20
	maxReports    = 1000
)

// takeReports answers POST /v1/reports: verdicts of workers, and fetches of
// agents below, to be handed upward. 202: the verdicts among them were heard above, or
// will be, over a restart of this agent too.
func (h *Handler) takeReports(w http.ResponseWriter, r *http.Request) error {
	if asker := pull.Asker(r); asker != "" {
		if err := h.checkBelow(asker, pull.Via(r.Header)); err != nil {
			return err
		}
	}
	var reports config.Reports
	if err := httpapi.ReadJSON(w, r, maxReportBody, &reports); err != nil {
		return err
	}
	reports.Seen = nil // without the name of who has seen them they are nobody's
	if err := h.take(r.Context(), reports, h.ID); err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusAccepted, struct {
		Accepted int `json:"accepted"`
	}{reports.Len()})
}

// take hands reports on. One that does not say of which agent is of the one that
// sends it.
func (h *Handler) take(ctx context.Context, reports config.Reports, agent string) error {
	if reports.Len() > maxReports {
		return httpapi.Invalid("more than 1000 reports at once: send them in several requests")
	}
	if err := check(reports, agent); err != nil {
		return err
	}
	h.Ring.Leave(reports.Stopped)
	h.reports.Add(float64(reports.Len()))
	h.Reporter.Take(ctx, reports)
	return nil
}

// check refuses what cannot be a report, and says of which agent the others are.
func check(reports config.Reports, agent string) error {
	for i := range reports.Applied {
		verdict := &reports.Applied[i]
		verdict.Agent = cmp.Or(verdict.Agent, agent)
		if err := verdict.Check(); err != nil {
			return httpapi.Invalid(err.Error())
		}
	}
	for i := range reports.Fetched {
		fetched := &reports.Fetched[i]
		if err := config.CheckAgentID(fetched.Agent); err != nil {
			return err
		}
		if _, err := config.ParseName(string(fetched.Namespace)); err != nil {
			return err
		}
	}
	for i := range reports.Stopped {
		stopped := &reports.Stopped[i]
		stopped.Agent = cmp.Or(stopped.Agent, agent)
		if err := stopped.Check(); err != nil {
			return httpapi.Invalid(err.Error())
		}
	}
	return nil
}
