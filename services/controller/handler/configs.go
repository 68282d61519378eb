package handler

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
	"github.com/heraldconf/herald/shared/httpapi"
)

// putConfig answers PUT /v1/namespaces/{ns}/configs/{name}: 201 for a config that
// is new, 200 otherwise.
func (h *Handler) putConfig(w http.ResponseWriter, r *http.Request) error {
	namespace, change, err := readPut(w, r)
	if err != nil {
		return err
	}
	return h.write(w, r, namespace, change)
}

// readPut reads a document that is to be put, and checks that it is what it says.
func readPut(w http.ResponseWriter, r *http.Request) (namespace config.Name, change domain.Change, err error) {
	change.Op = domain.Put
	if namespace, change.Name, err = nameOf(r); err != nil {
		return namespace, change, err
	}
	if change.MediaType, err = config.NormalMediaType(r.Header.Get("Content-Type")); err != nil {
		return namespace, change, err
	}
	body, err := httpapi.ReadBody(w, r, config.MaxDocument)
	if err != nil {
		return namespace, change, err
	}
	change.Body = bytes.Clone(body) // it is kept, and has no need of the room that reading took
	return namespace, change, document.Check(change.Document)
}

// deleteConfig answers DELETE /v1/namespaces/{ns}/configs/{name}.
func (h *Handler) deleteConfig(w http.ResponseWriter, r *http.Request) error {
	namespace, name, err := nameOf(r)
	if err != nil {
		return err
	}
	return h.write(w, r, namespace, domain.Change{Op: domain.Delete, Name: name})
}

// write commits one change under the conditions of the request.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, namespace config.Name, change domain.Change) error {
	match, err := conditionOf(r)
	if err != nil {
		return err
	}
	p := domain.Proposal{Message: r.Header.Get("Herald-Message"), Changes: []domain.Change{change}, Match: match}
	return h.commit(w, r, namespace, p, h.Configs.Commit, func(commit domain.Commit) outcome {
		as := outcome{status: http.StatusOK, name: change.Name, etag: change.Document.ETag()}
		if commit.Changed() && commit.Changes[0].Creates {
			as.status = http.StatusCreated
		}
		if change.Op == domain.Delete {
			as.etag = commit.Changes[0].ETag
		}
		return as
	})
}

// conditionOf reads If-Match and If-None-Match, or nil where neither is there.
func conditionOf(r *http.Request) (*domain.Condition, error) {
	var c domain.Condition
	var err error
	if c.IfMatch, err = tagsOf(r, "If-Match"); err != nil {
		return nil, err
	}
	if c.IfNoneMatch, err = tagsOf(r, "If-None-Match"); err != nil || c == (domain.Condition{}) {
		return nil, err
	}
	return &c, nil
}

// tagsOf reads one of the two. What is none is refused: an If-None-Match that says
// nothing would let anything pass.
func tagsOf(r *http.Request, field string) (*domain.Tags, error) {
	headers := r.Header.Values(field)
	if len(headers) == 0 {
		return nil, nil
	}
	if !config.AreETags(headers) {
		return nil, httpapi.Invalid(field + ` is * or a list of ETags, each in double quotes as in "k3x", not ` + strconv.Quote(clip(strings.Join(headers, ", "))))
	}
	parse := config.ParseETags
	if field == "If-None-Match" {
		parse = config.HeldETags
	}
	list, all := parse(headers)
	return &domain.Tags{Any: all, List: list}, nil
}
