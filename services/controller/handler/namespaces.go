package handler

import (
	"context"
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// listNamespaces answers GET /v1/namespaces.
func (h *Handler) listNamespaces(w http.ResponseWriter, r *http.Request) error {
	p, err := pageOf(r, "after")
	if err != nil {
		return err
	}
	found, err := h.namespacesOf(r, config.Name(p.cursor), p.limit+1)
	if err != nil {
		return err
	}
	lines, next := cut(p, found, func(s domain.Summary) string { return string(s.Namespace) })
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Namespaces []domain.Summary `json:"namespaces"`
		Next       string           `json:"next,omitempty"`
	}{lines, next})
}

// namespacesOf reads a page of the namespaces that the token opens.
func (h *Handler) namespacesOf(r *http.Request, after config.Name, limit int) ([]domain.Summary, error) {
	scope := tokenOf(r).Namespaces
	if scope.All() {
		return h.Configs.Namespaces(r.Context(), after, limit)
	}
	var open []domain.Summary
	for {
		page, err := h.Configs.Namespaces(r.Context(), after, maxLimit)
		if err != nil {
			return nil, err
		}
		for _, summary := range page {
			if scope.Holds(summary.Namespace) {
				open = append(open, summary)
			}
		}
		if len(page) < maxLimit || len(open) >= limit {
			return open[:min(limit, len(open))], nil
		}
		after = page[len(page)-1].Namespace
	}
}

// listConfigs answers GET /v1/namespaces/{ns}/configs.
func (h *Handler) listConfigs(w http.ResponseWriter, r *http.Request) error {
	lines, next, err := named(r, h.Configs.List)
	if err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Configs []domain.Config `json:"configs"`
		Next    string          `json:"next,omitempty"`
	}{lines, next})
}

// named is a page of what a namespace has by name: its configs, or its schemas.
func named(
	r *http.Request, list func(ctx context.Context, namespace, after config.Name, limit int) ([]domain.Config, error),
) (lines []domain.Config, next string, err error) {
	namespace, err := namespaceOf(r)
	if err != nil {
		return nil, "", err
	}
	p, err := pageOf(r, "after")
	if err != nil {
		return nil, "", err
	}
	found, err := list(r.Context(), namespace, config.Name(p.cursor), p.limit+1)
	if err != nil {
		return nil, "", err
	}
	lines, next = cut(p, found, func(c domain.Config) string { return string(c.Name) })
	return lines, next, nil
}
