package handler

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/pull"
)

const (
	maxRegistration = 256 << 10
	maxSeenBody     = 4 << 20
	maxSeen         = 20_000
)

// register answers POST /v1/agents: an agent below registers. What it says is
// passed on unread but for its ID, with the name of this agent as what it came
// through first, and the answer is what is said above.
func (h *Handler) register(w http.ResponseWriter, r *http.Request) error {
	said := map[string]json.RawMessage{}
	if err := httpapi.ReadJSON(w, r, maxRegistration, &said); err != nil {
		return err
	}
	var id string
	if err := json.Unmarshal(said["id"], &id); err != nil {
		return httpapi.Invalid(`a registration needs an "id"`)
	}
	if err := config.CheckAgentID(id); err != nil {
		return err
	}
	path := pull.Via(r.Header)
	if err := h.checkBelow(id, path); err != nil {
		return err
	}
	if _, ok := said["via"]; !ok {
		said["via"], _ = json.Marshal(h.ID) // a string has always JSON
	}
	registration, err := json.Marshal(said)
	if err != nil {
		return httpapi.Invalid(err.Error())
	}
	answer, err := h.Ring.Register(r.Context(), id, registration, domain.Below(path, h.ID))
	if err != nil {
		return refusedAbove(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, json.RawMessage(answer))
}

// refusedAbove is what was said above against a registration, in the same words.
// Where it is the relay's own token that is not let in, the agent below can do
// nothing but wait.
func refusedAbove(err error) error {
	refusal, ok := errors.AsType[*pull.Refusal](err)
	switch {
	case !ok || errors.Is(err, domain.ErrAway):
		return err
	case refusal.Status == http.StatusUnauthorized || refusal.Code == "":
		return httpapi.NewProblem(http.StatusServiceUnavailable, "unavailable", "upstream refuses this agent: "+refusal.Error())
	}
	return httpapi.NewProblem(refusal.Status, refusal.Code, "upstream: "+refusal.Detail)
}

// checkBelow refuses, with 508, who stands above this agent, or came through it: it
// would hear of itself for ever.
func (h *Handler) checkBelow(id string, path []string) error {
	err := domain.CheckPath(append(slices.Clone(path), id), h.ID)
	if err == nil && slices.Contains(h.Upstream.Path(), id) {
		err = domain.CheckPath([]string{h.ID}, h.ID)
	}
	if err != nil {
		return httpapi.NewProblem(http.StatusLoopDetected, "unavailable", err.Error())
	}
	return nil
}

// takeReportsOf answers POST /v1/agents/{id}/reports: what an agent below reports,
// and who lives below that one.
func (h *Handler) takeReportsOf(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := config.CheckAgentID(id); err != nil {
		return err
	}
	if err := h.checkBelow(id, pull.Via(r.Header)); err != nil {
		return err
	}
	h.Ring.Asking(id)()
	var reports config.Reports
	if err := httpapi.ReadJSON(w, r, maxSeenBody, &reports); err != nil {
		return err
	}
	seen := reports.Seen
	if reports.Seen = nil; len(seen) > maxSeen {
		return httpapi.Invalid("more than 20000 agents seen at once")
	}
	for _, each := range seen {
		if err := each.Check(); err != nil {
			return httpapi.Invalid(err.Error())
		}
	}
	if err := h.take(r.Context(), reports, id); err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusAccepted, struct {
		Accepted int `json:"accepted"`
		domain.Heard
	}{reports.Len() + len(seen), h.Ring.Heard(seen)})
}
