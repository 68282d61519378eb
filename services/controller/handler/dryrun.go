package handler

import (
	"errors"
	"net/http"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/diff"
	"github.com/heraldconf/herald/shared/httpapi"
)

// A running is a worker that would go over to what is tried: one that lives, and
// what it runs on now.
type running struct {
	ID       string          `json:"id"`
	Agent    string          `json:"agent"`
	Revision config.Revision `json:"revision"`
}

// writePreview answers a write that was only tried: what it would change, and who
// runs on that.
func (h *Handler) writePreview(w http.ResponseWriter, r *http.Request, commit domain.Commit, as outcome) error {
	configs, schemas, err := h.Configs.Preview(r.Context(), commit)
	if err != nil {
		return err
	}
	workers := []running{}
	if len(commit.Changes) > 0 {
		if workers, err = h.runningOn(r, commit.Namespace); err != nil {
			return err
		}
	}
	setPosition(w.Header(), commit.Position)
	if as.etag != "" {
		w.Header().Set("ETag", as.etag.Quoted(""))
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		DryRun    bool            `json:"dry_run"`
		Namespace config.Name     `json:"namespace"`
		Name      config.Name     `json:"name,omitempty"`
		ETag      config.ETag     `json:"etag,omitempty"`
		Changed   bool            `json:"changed"`
		Revision  config.Revision `json:"revision"`
		Changes   []diff.Change   `json:"changes"`
		Schemas   []diff.Change   `json:"schemas,omitempty"`
		Workers   []running       `json:"workers"`
		Waits     bool            `json:"waits,omitempty"` // for an approval
	}{true, commit.Namespace, as.name, as.etag, commit.Changed(), commit.Revision, changesOf(configs), changesOf(schemas), workers, commit.Waiting != nil})
}

// runningOn are the workers that run on the namespace, none where it is not written.
func (h *Handler) runningOn(r *http.Request, namespace config.Name) ([]running, error) {
	workers := []running{}
	view, _, err := h.Fleet.Workers(r.Context(), namespace, 0)
	if errors.Is(err, domain.ErrNotFound) {
		return workers, nil
	}
	if err != nil {
		return nil, err
	}
	for _, worker := range view.Workers {
		if worker.Running != nil && worker.State != domain.WorkerLost {
			workers = append(workers, running{worker.Worker, worker.Agent, worker.Running.Revision})
		}
	}
	return workers, nil
}

// checkConfig answers POST /v1/namespaces/{ns}/configs/{name}/checks: whether the
// document would be taken if it were put there. Nothing is written, so that who may
// only read can ask.
func (h *Handler) checkConfig(w http.ResponseWriter, r *http.Request) error {
	namespace, change, err := readPut(w, r)
	if err != nil {
		return err
	}
	match, err := conditionOf(r)
	if err != nil {
		return err
	}
	p := domain.Proposal{Changes: []domain.Change{change}, Match: match, DryRun: true}
	return h.commit(w, r, namespace, p, h.Configs.Commit, func(domain.Commit) outcome {
		return outcome{name: change.Name, etag: change.Document.ETag()}
	})
}
