package handler

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// A maker makes a commit of a proposal, as usecase.Configs does.
type maker func(ctx context.Context, namespace config.Name, p domain.Proposal) (domain.Commit, error)

// An outcome is how a commit is answered: name and etag are of the one config that
// it is about, "" where it is about several.
type outcome struct {
	status int
	name   config.Name
	etag   config.ETag
}

// commit makes a commit as the request asks, and answers it. All that makes a
// revision comes through here, so that what every write can be told is read once.
func (h *Handler) commit(w http.ResponseWriter, r *http.Request, namespace config.Name, p domain.Proposal, write maker, of func(domain.Commit) outcome) error {
	err := checkMessage(p.Message)
	if err != nil {
		return err
	}
	dry, err := switchOf(r, "dry_run")
	if err != nil {
		return err
	}
	p.DryRun = p.DryRun || dry
	if p.Force, err = switchOf(r, "force"); err != nil {
		return err
	}
	p.Actor = actorOf(r)
	p.Author = p.Actor.Name
	p.Receipt = receiptOf(r, of)
	commit, err := write(r.Context(), namespace, p)
	if err != nil {
		return err
	}
	as := of(commit)
	if p.DryRun {
		return h.writePreview(w, r, commit, as)
	}
	if commit.Waiting != nil {
		h.metrics.proposed(domain.ProposalOpen)
	} else {
		h.metrics.committed(commit)
	}
	return writeCommit(w, commit, as)
}

// writeCommit answers a write. One that waits for an approval is answered with 202,
// and as one that changed nothing; no ETag is its own yet.
func writeCommit(w http.ResponseWriter, commit domain.Commit, as outcome) error {
	setPosition(w.Header(), commit.Position)
	var proposal int64
	switch {
	case commit.Waiting != nil:
		proposal, as.status, as.etag = commit.Waiting.ID, http.StatusAccepted, ""
		w.Header().Set("Location", fmt.Sprintf("/v1/namespaces/%s/proposals/%d", commit.Namespace, proposal))
	case commit.Approval != nil:
		proposal = commit.Approval.Proposal
	}
	if as.etag != "" {
		w.Header().Set("ETag", as.etag.Quoted(""))
	}
	return httpapi.WriteJSON(w, as.status, struct {
		Namespace config.Name     `json:"namespace"`
		Name      config.Name     `json:"name,omitempty"`
		Revision  config.Revision `json:"revision"`
		ETag      config.ETag     `json:"etag,omitempty"`
		Changed   bool            `json:"changed"`
		Proposal  int64           `json:"proposal,omitempty"`
	}{commit.Namespace, as.name, commit.Revision, as.etag, commit.Changed() && commit.Waiting == nil, proposal})
}

func setPosition(h http.Header, at config.Position) {
	h.Set("Herald-Epoch", string(at.Epoch))
	h.Set("Herald-Revision", strconv.FormatInt(int64(at.Revision), 10))
}
