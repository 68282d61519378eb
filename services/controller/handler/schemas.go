package handler

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
	"github.com/heraldconf/herald/shared/httpapi"
)

// putSchema answers PUT /v1/namespaces/{ns}/schemas/{name}: 201 for a schema that
// is new, 200 otherwise.
func (h *Handler) putSchema(w http.ResponseWriter, r *http.Request) error {
	namespace, name, err := nameOf(r)
	if err != nil {
		return err
	}
	change := domain.Change{Op: domain.PutSchema, Name: name}
	if change.MediaType, err = config.NormalMediaType(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	if change.Kind() != config.JSON {
		return fmt.Errorf("%w %s: a JSON Schema is written in JSON, as application/schema+json", config.ErrMediaType, change.MediaType)
	}
	body, err := httpapi.ReadBody(w, r, config.MaxDocument)
	if err != nil {
		return err
	}
	change.Body = bytes.Clone(body)
	if err := document.Check(change.Document); err != nil {
		return err
	}
	return h.writeSchema(w, r, namespace, change)
}

// deleteSchema answers DELETE /v1/namespaces/{ns}/schemas/{name}.
func (h *Handler) deleteSchema(w http.ResponseWriter, r *http.Request) error {
	namespace, name, err := nameOf(r)
	if err != nil {
		return err
	}
	return h.writeSchema(w, r, namespace, domain.Change{Op: domain.DeleteSchema, Name: name})
}

// writeSchema commits one change of a schema under the conditions of the request.
func (h *Handler) writeSchema(w http.ResponseWriter, r *http.Request, namespace config.Name, change domain.Change) error {
	match, err := conditionOf(r)
	if err != nil {
		return err
	}
	p := domain.Proposal{Message: r.Header.Get("Herald-Message"), Schemas: []domain.Change{change}, Match: match}
	return h.commit(w, r, namespace, p, h.Configs.Commit, func(commit domain.Commit) outcome {
		as := outcome{status: http.StatusOK, name: change.Name, etag: change.Document.ETag()}
		if commit.Changed() && commit.Schemas[0].Creates {
			as.status = http.StatusCreated
		}
		if change.Op == domain.DeleteSchema {
			as.etag = commit.Schemas[0].ETag
		}
		return as
	})
}

// getSchema answers GET /v1/namespaces/{ns}/schemas/{name}[?revision=N]: the schema
// as it was written, now or then.
func (h *Handler) getSchema(w http.ResponseWriter, r *http.Request) error {
	namespace, name, err := nameOf(r)
	if err != nil {
		return err
	}
	position, err := h.Configs.Position(r.Context(), namespace)
	if err != nil {
		return err
	}
	var at config.Revision
	if text := r.URL.Query().Get("revision"); text != "" {
		if at, err = revisionOf(text); err != nil {
			return err
		}
		position.Revision = at
	}
	entry, err := h.Schemas.Schema(r.Context(), namespace, name, at)
	if err != nil {
		return err
	}
	writeDocument(w, r, position, entry)
	return nil
}

// listSchemas answers GET /v1/namespaces/{ns}/schemas.
func (h *Handler) listSchemas(w http.ResponseWriter, r *http.Request) error {
	lines, next, err := named(r, h.Schemas.ListSchemas)
	if err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Schemas []domain.Config `json:"schemas"`
		Next    string          `json:"next,omitempty"`
	}{lines, next})
}
