package handler

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/diff"
	"github.com/heraldconf/herald/shared/httpapi"
)

// postProposal answers POST /v1/namespaces/{ns}/proposals, whose body is that of a
// commit: 202 for one that waits, 200 if it would change nothing.
func (h *Handler) postProposal(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	p, err := readProposal(w, r)
	if err != nil {
		return err
	}
	p.Wait = true
	return h.commit(w, r, namespace, p, h.Configs.Commit, func(commit domain.Commit) outcome {
		as := outcome{status: http.StatusOK}
		as.name, as.etag = only(p.Changes, commit)
		return as
	})
}

// listProposals answers GET /v1/namespaces/{ns}/proposals, newest first.
func (h *Handler) listProposals(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	p, before, err := pageBefore(r, proposalNumber)
	if err != nil {
		return err
	}
	state := domain.ProposalState(r.URL.Query().Get("state"))
	if state != "" && !slices.Contains(domain.ProposalStates, state) {
		return httpapi.Invalid(fmt.Sprintf("state is open, approved, rejected, withdrawn or expired, not %.20q", string(state)))
	}
	found, err := h.Proposals.Proposals(r.Context(), namespace, state, before, p.limit+1)
	if err != nil {
		return err
	}
	if len(found) == 0 { // of a namespace that is not there it is an error, as of any list
		if _, err := h.Configs.Position(r.Context(), namespace); err != nil {
			return err
		}
	}
	p.with("state", string(state))
	lines, next := cut(p, found, func(p domain.Proposed) string { return strconv.FormatInt(p.ID, 10) })
	bodies := make([]json.RawMessage, 0, len(lines))
	for _, line := range lines {
		bodies = append(bodies, append(encodeProposal(line, time.Now(), false), '}'))
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Proposals []json.RawMessage `json:"proposals"`
		Next      string            `json:"next,omitempty"`
	}{bodies, next})
}

// getProposal answers GET /v1/namespaces/{ns}/proposals/{proposal}: what it would
// change, with the documents, and how that compares with what stands now.
func (h *Handler) getProposal(w http.ResponseWriter, r *http.Request) error {
	namespace, id, err := proposalOf(r)
	if err != nil {
		return err
	}
	p, err := h.Proposals.Proposal(r.Context(), namespace, id)
	if err != nil {
		return err
	}
	now := time.Now()
	body := encodeProposal(p, now, p.State != domain.ProposalApproved)
	if p.StateAt(now) == domain.ProposalOpen {
		if body, err = h.compareProposal(r, body, p); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, "}\n"...)) // the client has gone if this fails
	return nil
}

// compareProposal adds to the body what the proposal would change now.
func (h *Handler) compareProposal(r *http.Request, body []byte, p domain.Proposed) ([]byte, error) {
	position, err := h.Configs.Position(r.Context(), p.Namespace)
	if err != nil && !errors.Is(err, domain.ErrNotFound) {
		return nil, err
	}
	configs, schemas, err := h.Proposals.Compare(r.Context(), p, position.Revision)
	if err != nil {
		return nil, err
	}
	return appendMember(body, `,"diff":`, betweenBody{
		Namespace: p.Namespace, To: position.Revision, Changes: changesOf(configs), Schemas: changesOf(schemas),
	}), nil
}

// A betweenBody is a diff: between two revisions, or of a proposal and one.
type betweenBody struct {
	Namespace config.Name      `json:"namespace"`
	From      *config.Revision `json:"from,omitempty"`
	To        config.Revision  `json:"to"`
	Changes   []diff.Change    `json:"changes"`
	Schemas   []diff.Change    `json:"schemas,omitempty"`
}

// encodeProposal writes a proposal by hand, as a commit is, but for its last brace.
func encodeProposal(p domain.Proposed, now time.Time, documents bool) []byte {
	b := appendMember(nil, `{"id":`, p.ID)
	b = appendMember(b, `,"namespace":`, p.Namespace)
	b = appendMember(b, `,"state":`, p.StateAt(now))
	b = appendMember(b, `,"at":`, p.At)
	b = appendMember(b, `,"author":`, p.Author.Name)
	b = appendMember(b, `,"message":`, p.Message)
	b = appendMember(b, `,"epoch":`, p.Base.Epoch)
	b = appendMember(b, `,"base_revision":`, p.Base.Revision)
	b = appendMember(b, `,"strict":`, p.Strict)
	b = appendMember(b, `,"force":`, p.Force)
	b = appendMember(b, `,"expires_at":`, p.ExpiresAt())
	if p.State != domain.ProposalOpen {
		b = appendMember(b, `,"decided_at":`, p.Decision.At)
		b = appendMember(b, `,"decided_by":`, p.By.Name)
		b = appendMember(b, `,"reason":`, p.Decision.Message)
	}
	if p.State == domain.ProposalApproved {
		b = appendMember(b, `,"revision":`, p.Made)
	}
	return appendChanges(b, p.All(), documents)
}

// postApprove answers POST /v1/namespaces/{ns}/proposals/{proposal}/approve as the
// commit that it makes is answered: 201.
func (h *Handler) postApprove(w http.ResponseWriter, r *http.Request) error {
	namespace, id, asked, err := resolutionOf(w, r)
	if err != nil {
		return err
	}
	of := func(commit domain.Commit) outcome {
		as := outcome{status: http.StatusCreated}
		if all := commit.All(); len(all) == 1 {
			as.name, as.etag = all[0].Name, all[0].ETag
		}
		return as
	}
	commit, err := h.Proposals.Approve(r.Context(), namespace, id, asked, receiptOf(r, of))
	if err != nil {
		return stale(namespace, err)
	}
	if asked.DryRun {
		return h.writePreview(w, r, commit, of(commit))
	}
	h.metrics.committed(commit)
	h.metrics.proposed(domain.ProposalApproved)
	return writeCommit(w, commit, of(commit))
}

// stale adds to the refusal of a proposal whose base has moved on what is different.
func stale(namespace config.Name, err error) error {
	moved, ok := errors.AsType[*usecase.MovedOn](err)
	if !ok {
		return err
	}
	problem := httpapi.ProblemOf(statuses, err)
	between, err := json.Marshal(betweenBody{
		Namespace: namespace, From: &moved.From, To: moved.To, Changes: changesOf(moved.Configs), Schemas: changesOf(moved.Schemas),
	})
	if err != nil {
		return err
	}
	problem.Between = between
	return problem
}

// postReject answers POST /v1/namespaces/{ns}/proposals/{proposal}/reject with what
// became of the proposal.
func (h *Handler) postReject(w http.ResponseWriter, r *http.Request) error {
	namespace, id, asked, err := resolutionOf(w, r)
	if err != nil {
		return err
	}
	rejected, err := h.Proposals.Reject(r.Context(), namespace, id, asked, rejectionReceiptOf(r))
	if err != nil {
		return err
	}
	if !asked.DryRun {
		h.metrics.proposed(rejected.State)
	}
	return writeRejected(w, rejected)
}

func writeRejected(w http.ResponseWriter, p domain.Proposed) error {
	return httpapi.WriteJSON(w, http.StatusOK, json.RawMessage(append(encodeProposal(p, p.Decision.At, false), '}')))
}

// rejectionReceiptOf returns what makes the receipt of a rejection, or nil.
func rejectionReceiptOf(r *http.Request) func(domain.Proposed) *domain.Receipt {
	asked, ok := r.Context().Value(pendingKey{}).(*pending)
	if !ok {
		return nil
	}
	return func(p domain.Proposed) *domain.Receipt {
		return asked.receipt(p.Decision.At, func(w http.ResponseWriter) error { return writeRejected(w, p) })
	}
}

// resolutionOf reads what somebody decides of a proposal. There may be no body.
func resolutionOf(w http.ResponseWriter, r *http.Request) (namespace config.Name, id int64, asked usecase.Resolution, err error) {
	if namespace, id, err = proposalOf(r); err != nil {
		return namespace, id, asked, err
	}
	var said struct {
		Message string `json:"message"`
	}
	if err = httpapi.ReadOptionalJSON(w, r, maxUndo, &said); err != nil {
		return namespace, id, asked, err
	}
	if err = checkMessage(said.Message); err != nil {
		return namespace, id, asked, err
	}
	asked = usecase.Resolution{By: actorOf(r), Message: said.Message}
	if asked.DryRun, err = switchOf(r, "dry_run"); err != nil {
		return namespace, id, asked, err
	}
	asked.Force, err = switchOf(r, "force")
	return namespace, id, asked, err
}

// proposalOf reads the namespace and the proposal of a request's path.
func proposalOf(r *http.Request) (namespace config.Name, id int64, err error) {
	if namespace, err = namespaceOf(r); err != nil {
		return namespace, 0, err
	}
	id, err = proposalNumber(r.PathValue("proposal"))
	return namespace, id, err
}

func proposalNumber(text string) (int64, error) {
	n, ok := numberOf(text)
	if !ok {
		return 0, httpapi.Invalid("a proposal is a number from 1 on, not " + strconv.Quote(text))
	}
	return n, nil
}
