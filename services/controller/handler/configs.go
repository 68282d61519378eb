package handler

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/document"
	"github.com/heraldconf/herald/shared/httpapi"
)

// anonymous is the author of a commit while there are no tokens.
const anonymous = "anonymous"

// putConfig answers PUT /v1/namespaces/{ns}/configs/{name}: 201 for a config that
// is new, 200 otherwise.
func (h *Handler) putConfig(w http.ResponseWriter, r *http.Request) error {
	namespace, name, err := nameOf(r)
	if err != nil {
		return err
	}
	change := domain.Change{Op: domain.Put, Name: name}
	if change.MediaType, err = config.NormalMediaType(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	body, err := httpapi.ReadBody(w, r, config.MaxDocument)
	if err != nil {
		return err
	}
	change.Body = bytes.Clone(body) // it is kept, and has no need of the room that reading took
	if err := document.Check(change.Document); err != nil {
		return err
	}
	return h.write(w, r, namespace, change)
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
	if err := refuseDryRun(r); err != nil {
		return err
	}
	message := r.Header.Get("Herald-Message")
	if err := checkMessage(message); err != nil {
		return err
	}
	commit, err := h.Configs.Commit(r.Context(), namespace, domain.Proposal{
		Author: anonymous, Message: message, Changes: []domain.Change{change}, Match: conditionOf(r),
	})
	if err != nil {
		return err
	}
	h.metrics.committed(commit)
	status := http.StatusOK
	if commit.Changed() && commit.Changes[0].Creates {
		status = http.StatusCreated
	}
	etag := change.Document.ETag()
	if change.Op == domain.Delete {
		etag = commit.Changes[0].ETag
	}
	return writeCommit(w, status, commit, change.Name, etag)
}

// refuseDryRun keeps a request that asks for a dry run from being carried out.
func refuseDryRun(r *http.Request) error {
	if dry := r.URL.Query().Get("dry_run"); dry != "" && dry != "false" && dry != "0" {
		return httpapi.Invalid("dry_run is not there yet; nothing was written")
	}
	return nil
}

// conditionOf reads If-Match and If-None-Match, or nil where neither is there.
func conditionOf(r *http.Request) *domain.Condition {
	c := domain.Condition{IfMatch: tagsOf(r.Header.Values("If-Match")), IfNoneMatch: tagsOf(r.Header.Values("If-None-Match"))}
	if c == (domain.Condition{}) {
		return nil
	}
	return &c
}

func tagsOf(headers []string) *domain.Tags {
	if len(headers) == 0 {
		return nil
	}
	list, all := config.ParseETags(headers)
	return &domain.Tags{Any: all, List: list}
}

// writeCommit answers a write. name and etag are of the one config that it is
// about, "" where it is about several.
func writeCommit(w http.ResponseWriter, status int, commit domain.Commit, name config.Name, etag config.ETag) error {
	setPosition(w.Header(), commit.Position)
	if etag != "" {
		w.Header().Set("ETag", etag.Quoted(""))
	}
	return httpapi.WriteJSON(w, status, struct {
		Namespace config.Name     `json:"namespace"`
		Name      config.Name     `json:"name,omitempty"`
		Revision  config.Revision `json:"revision"`
		ETag      config.ETag     `json:"etag,omitempty"`
		Changed   bool            `json:"changed"`
	}{commit.Namespace, name, commit.Revision, etag, commit.Changed()})
}

func setPosition(h http.Header, at config.Position) {
	h.Set("Herald-Epoch", string(at.Epoch))
	h.Set("Herald-Revision", strconv.FormatInt(int64(at.Revision), 10))
}
