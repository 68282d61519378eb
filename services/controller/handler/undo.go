package handler

import (
	"context"
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/diff"
	"github.com/heraldconf/herald/shared/httpapi"
)

// maxUndo bounds the body of a rollback or a revert.
const maxUndo = 16 << 10

// getDiff answers GET /v1/namespaces/{ns}/diff?from=40&to=42.
func (h *Handler) getDiff(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	from, to, err := h.spanOf(r, namespace)
	if err != nil {
		return err
	}
	found, err := h.Undo.Diff(r.Context(), namespace, from, to)
	if err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Namespace config.Name     `json:"namespace"`
		From      config.Revision `json:"from"`
		To        config.Revision `json:"to"`
		Changes   []diff.Change   `json:"changes"`
	}{namespace, from, to, changesOf(found)})
}

// spanOf reads from and to: to is the newest revision where it is not given, and
// from the one before to.
func (h *Handler) spanOf(r *http.Request, namespace config.Name) (from, to config.Revision, err error) {
	newest, err := h.Configs.Position(r.Context(), namespace)
	if err != nil {
		return 0, 0, err
	}
	query := r.URL.Query()
	if to = newest.Revision; query.Has("to") {
		if to, err = revisionOrNothing(query.Get("to")); err != nil {
			return 0, 0, err
		}
	}
	if from = max(to-1, 0); query.Has("from") {
		from, err = revisionOrNothing(query.Get("from"))
	}
	return from, to, err
}

func revisionOrNothing(text string) (config.Revision, error) {
	if text == "0" {
		return 0, nil
	}
	return revisionOf(text)
}

// changesOf says of each difference what it is.
func changesOf(found []usecase.Difference) []diff.Change {
	changes := []diff.Change{}
	for _, d := range found {
		if change, changed := diff.Of(d.Name, d.Before, d.After); changed {
			changes = append(changes, change)
		}
	}
	return changes
}

// postRollback answers POST /v1/namespaces/{ns}/rollback: 201 for a revision that
// is new, 200 if nothing changes.
func (h *Handler) postRollback(w http.ResponseWriter, r *http.Request) error {
	var asked struct {
		To      config.Revision  `json:"to"`
		Name    string           `json:"name"`
		Message string           `json:"message"`
		Base    *config.Revision `json:"base_revision"`
	}
	namespace, err := undoOf(w, r, &asked)
	if err != nil {
		return err
	}
	if asked.To < 1 {
		return httpapi.Invalid(`say which revision the configs are to be those of, from 1 on, as in {"to":40}`)
	}
	var only config.Name
	if asked.Name != "" {
		if only, err = config.ParseName(asked.Name); err != nil {
			return err
		}
	}
	rollback := func(ctx context.Context, namespace config.Name, p domain.Proposal) (domain.Commit, error) {
		return h.Undo.Rollback(ctx, namespace, asked.To, only, p)
	}
	return h.commit(w, r, namespace, domain.Proposal{Message: asked.Message, Base: asked.Base}, rollback, func(commit domain.Commit) outcome {
		as := undone(commit)
		if as.name = only; len(commit.Changes) == 1 && only != "" {
			as.etag = commit.Changes[0].ETag
		}
		return as
	})
}

// postRevert answers POST /v1/namespaces/{ns}/revert, as a rollback is answered.
func (h *Handler) postRevert(w http.ResponseWriter, r *http.Request) error {
	var asked struct {
		Revision config.Revision  `json:"revision"`
		Message  string           `json:"message"`
		Base     *config.Revision `json:"base_revision"`
	}
	namespace, err := undoOf(w, r, &asked)
	if err != nil {
		return err
	}
	if asked.Revision < 1 {
		return httpapi.Invalid(`say which revision is to be taken back, from 1 on, as in {"revision":41}`)
	}
	revert := func(ctx context.Context, namespace config.Name, p domain.Proposal) (domain.Commit, error) {
		return h.Undo.Revert(ctx, namespace, asked.Revision, p)
	}
	return h.commit(w, r, namespace, domain.Proposal{Message: asked.Message, Base: asked.Base}, revert, undone)
}

func undoOf(w http.ResponseWriter, r *http.Request, asked any) (config.Name, error) {
	namespace, err := namespaceOf(r)
	if err != nil {
		return "", err
	}
	return namespace, httpapi.ReadJSON(w, r, maxUndo, asked)
}

func undone(commit domain.Commit) outcome {
	if commit.Changed() {
		return outcome{status: http.StatusCreated}
	}
	return outcome{status: http.StatusOK}
}
