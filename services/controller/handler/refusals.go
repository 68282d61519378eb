package handler

import (
	"fmt"
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// An acceptance is what an agent is told that an operator let through.
type acceptance struct {
	Namespace config.Name `json:"namespace"`
	config.Position
	ETag config.ETag `json:"etag"`
}

func acceptances(a usecase.AgentView, scope domain.Scope) []acceptance {
	var told []acceptance
	for _, namespace := range a.Follows() {
		if r, ok := a.Refused[namespace]; ok && r.AcceptedBy != "" && scope.Holds(namespace) {
			told = append(told, acceptance{namespace, r.Position, r.ETag})
		}
	}
	return told
}

// acceptRefused answers POST /v1/agents/{id}/accept: what the agent refuses of a
// namespace may pass, if it is still that revision.
func (h *Handler) acceptRefused(w http.ResponseWriter, r *http.Request) error {
	id, err := agentOf(r)
	if err != nil {
		return err
	}
	var asked struct {
		Namespace config.Name     `json:"namespace"`
		Epoch     config.Epoch    `json:"epoch"`
		Revision  config.Revision `json:"revision"`
	}
	if err := httpapi.ReadJSON(w, r, maxRegistration, &asked); err != nil {
		return err
	}
	if _, err := config.ParseName(string(asked.Namespace)); err != nil {
		return err
	}
	token := tokenOf(r)
	if token.Role != domain.Admin && !token.Namespaces.Holds(asked.Namespace) {
		return fmt.Errorf("%w: the token %s does not open the namespace %s", domain.ErrForbidden, token.Name, asked.Namespace)
	}
	dry, err := switchOf(r, "dry_run")
	if err != nil {
		return err
	}
	accept := usecase.Acceptance{Namespace: asked.Namespace, At: config.Position{Epoch: asked.Epoch, Revision: asked.Revision}, By: token.Actor(), DryRun: dry}
	view, err := h.Fleet.Accept(r.Context(), id, accept)
	if err != nil {
		return err
	}
	body := bodyOf(view, token.Namespaces)
	body.DryRun = dry
	return httpapi.WriteJSON(w, http.StatusOK, body)
}

// A refusingBody is an agent that refuses something of a namespace.
type refusingBody struct {
	ID       string         `json:"id"`
	Rejected domain.Refusal `json:"rejected"`
}

func (h *Handler) refusing(namespace config.Name) []refusingBody {
	bodies := []refusingBody{}
	for _, a := range h.Fleet.Refusing(namespace) {
		bodies = append(bodies, refusingBody{a.ID, a.Refused[namespace]})
	}
	return bodies
}
