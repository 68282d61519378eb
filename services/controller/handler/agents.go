package handler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// Bounds of what an agent says of itself.
const (
	maxRegistration = 256 << 10
	maxLabels       = 64
	maxText         = 255
)

// An agentBody is an agent as JSON has it.
type agentBody struct {
	DryRun bool `json:"dry_run,omitempty"`
	domain.Registration
	State    domain.AgentState              `json:"state"`
	LastSeen time.Time                      `json:"last_seen"`
	Interval float64                        `json:"poll_interval_seconds"`
	Follows  []config.Name                  `json:"namespaces"` // in the place of the registration's own
	Fetched  map[config.Name]domain.Mark    `json:"fetched"`
	Rejected map[config.Name]domain.Refusal `json:"rejected,omitempty"`
	Stopped  time.Time                      `json:"stopped_at,omitzero"`
}

// bodyOf is what somebody may see of an agent to whom the scope is open.
func bodyOf(a usecase.AgentView, scope domain.Scope) agentBody {
	b := agentBody{
		Registration: a.Registration, State: a.State, LastSeen: a.LastSeen.UTC(), Interval: a.Interval.Seconds(),
		Follows: opened(scope, a.Follows()), Fetched: map[config.Name]domain.Mark{},
		Stopped: a.StoppedAt.UTC(),
	}
	for namespace, mark := range a.Fetched {
		if scope.Holds(namespace) {
			b.Fetched[namespace] = mark
		}
	}
	for namespace, refusal := range a.Refused {
		if scope.Holds(namespace) {
			if b.Rejected == nil {
				b.Rejected = map[config.Name]domain.Refusal{}
			}
			b.Rejected[namespace] = refusal
		}
	}
	if b.Labels == nil {
		b.Labels = map[string]string{}
	}
	if b.Follows == nil {
		b.Follows = []config.Name{}
	}
	return b
}

// opened are those of the names that the scope opens.
func opened(scope domain.Scope, names []config.Name) []config.Name {
	var open []config.Name
	for _, name := range names {
		if scope.Holds(name) {
			open = append(open, name)
		}
	}
	return open
}

// agentsOf are the agents behind that ID that the token may see: those that follow
// one of its namespaces.
func (h *Handler) agentsOf(token domain.Token, after string, limit int) []usecase.AgentView {
	if token.Namespaces.All() {
		return h.Fleet.Agents(after, limit)
	}
	var seen []usecase.AgentView
	for _, a := range h.Fleet.Agents(after, 0) {
		if len(seen) < limit && len(opened(token.Namespaces, a.Follows())) > 0 {
			seen = append(seen, a)
		}
	}
	return seen
}

// registerAgent answers POST /v1/agents. It may be repeated; what is said last counts.
func (h *Handler) registerAgent(w http.ResponseWriter, r *http.Request) error {
	var said domain.Registration
	if err := httpapi.ReadJSON(w, r, maxRegistration, &said); err != nil {
		return err
	}
	if err := checkRegistration(said); err != nil {
		return err
	}
	token := tokenOf(r)
	if !h.Fleet.Hears(token.Actor(), said.ID) {
		return fmt.Errorf("%w: the token %s does not speak for the agent %s", domain.ErrForbidden, token.Name, said.ID)
	}
	said.Namespaces = opened(token.Namespaces, said.Namespaces)
	if token.Role == domain.AgentRole {
		said.Owner = token.Name
	}
	known, err := h.Fleet.Registered(r.Context(), said)
	if err != nil {
		return err
	}
	body := bodyOf(known, token.Namespaces)
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		ID         string        `json:"id"`
		Interval   float64       `json:"poll_interval_seconds"`
		Namespaces []config.Name `json:"namespaces"`
		Accepted   []acceptance  `json:"accepted,omitempty"`
	}{body.ID, body.Interval, body.Follows, acceptances(known, token.Namespaces)})
}

func checkRegistration(said domain.Registration) error {
	if err := config.CheckAgentID(said.ID); err != nil {
		return err
	}
	if len(said.Hostname) > maxText || len(said.Version) > maxText || len(said.Labels) > maxLabels {
		return httpapi.Invalid("a hostname or a version has at most 255 bytes, an agent at most 64 labels")
	}
	for key, value := range said.Labels {
		if key == "" || len(key) > maxText || len(value) > maxText {
			return httpapi.Invalid("a label has a key, and at most 255 bytes on either side")
		}
	}
	if said.Via != "" {
		if err := config.CheckAgentID(said.Via); err != nil {
			return fmt.Errorf("via: %w", err)
		}
	}
	return checkNames(said.Namespaces)
}

func checkNames(names []config.Name) error {
	for _, name := range names {
		if _, err := config.ParseName(string(name)); err != nil {
			return err
		}
	}
	return nil
}

// listAgents answers GET /v1/agents.
func (h *Handler) listAgents(w http.ResponseWriter, r *http.Request) error {
	p, err := pageOf(r, "after")
	if err != nil {
		return err
	}
	token := tokenOf(r)
	lines, next := cut(p, h.agentsOf(token, p.cursor, p.limit+1), func(a usecase.AgentView) string { return a.ID })
	bodies := make([]agentBody, 0, len(lines))
	for _, line := range lines {
		bodies = append(bodies, bodyOf(line, token.Namespaces))
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Agents []agentBody `json:"agents"`
		Next   string      `json:"next,omitempty"`
	}{bodies, next})
}

// getAgent answers GET /v1/agents/{id}.
func (h *Handler) getAgent(w http.ResponseWriter, r *http.Request) error {
	id, err := agentOf(r)
	if err != nil {
		return err
	}
	known, err := h.Fleet.Agent(id)
	if err != nil {
		return err
	}
	scope := tokenOf(r).Namespaces
	if !scope.All() && len(opened(scope, known.Follows())) == 0 {
		return fmt.Errorf("%w: agent %s", domain.ErrNotFound, id) // as of one that there is not
	}
	return httpapi.WriteJSON(w, http.StatusOK, bodyOf(known, scope))
}

func agentOf(r *http.Request) (string, error) {
	id := r.PathValue("id")
	return id, config.CheckAgentID(id)
}

// patchAgent answers PATCH /v1/agents/{id}: the interval that the agent is told,
// null being the controller's own again, and the namespaces that it is assigned.
func (h *Handler) patchAgent(w http.ResponseWriter, r *http.Request) error {
	id, err := agentOf(r)
	if err != nil {
		return err
	}
	var asked struct {
		Interval   json.RawMessage `json:"poll_interval_seconds"`
		Namespaces *[]config.Name  `json:"namespaces"`
	}
	if err := httpapi.ReadJSON(w, r, maxRegistration, &asked); err != nil {
		return err
	}
	if asked.Interval == nil && asked.Namespaces == nil {
		return httpapi.Invalid(`nothing to change: send {"poll_interval_seconds":5} or {"namespaces":["payments"]}`)
	}
	set := usecase.Assignment{By: actorOf(r), Namespaces: asked.Namespaces}
	if asked.Namespaces != nil {
		if err := checkNames(*asked.Namespaces); err != nil {
			return err
		}
	}
	if asked.Interval != nil {
		if set.Interval, err = intervalOf(asked.Interval); err != nil {
			return err
		}
	}
	if set.DryRun, err = switchOf(r, "dry_run"); err != nil {
		return err
	}
	known, err := h.Fleet.Assign(r.Context(), id, set)
	if err != nil {
		return err
	}
	body := bodyOf(known, domain.AllNamespaces)
	body.DryRun = set.DryRun
	return httpapi.WriteJSON(w, http.StatusOK, body)
}

// intervalOf reads a number of seconds; null is 0, which is the controller's own.
func intervalOf(text json.RawMessage) (*time.Duration, error) {
	if bytes.Equal(text, []byte("null")) {
		return new(time.Duration(0)), nil
	}
	var seconds float64
	if json.Unmarshal(text, &seconds) != nil || seconds < usecase.MinInterval.Seconds() || seconds > usecase.MaxInterval.Seconds() {
		return nil, usecase.ErrInterval
	}
	return new(time.Duration(seconds * float64(time.Second))), nil
}
