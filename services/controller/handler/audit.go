package handler

import (
	"net/http"
	"strconv"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/httpapi"
)

// An entryBody is an entry of the audit as JSON has it: all that its hash is of.
type entryBody struct {
	Seq      int64       `json:"seq"`
	At       time.Time   `json:"at"`
	Actor    string      `json:"actor"`
	TokenID  string      `json:"token_id"`
	Role     domain.Role `json:"role"`
	Action   string      `json:"action"`
	Target   string      `json:"target"`
	Outcome  string      `json:"outcome"`
	Detail   string      `json:"detail"`
	Previous domain.Hash `json:"previous"`
	Hash     domain.Hash `json:"hash"`
}

func bodyOfEntry(e domain.Entry) entryBody {
	return entryBody{
		Seq: e.Seq, At: e.At, Actor: e.Actor.Name, TokenID: e.Actor.TokenID, Role: e.Actor.Role, Action: e.Action,
		Target: e.Target, Outcome: e.Outcome, Detail: e.Detail, Previous: e.Previous, Hash: e.Hash,
	}
}

// listAudit answers GET /v1/audit, newest first. head is where the chain ends, of
// every page.
func (h *Handler) listAudit(w http.ResponseWriter, r *http.Request) error {
	p, before, err := pageBefore(r, entryNumber)
	if err != nil {
		return err
	}
	found, head, err := h.Audit.Entries(r.Context(), before, p.limit+1)
	if err != nil {
		return err
	}
	lines, next := cut(p, found, func(e domain.Entry) string { return strconv.FormatInt(e.Seq, 10) })
	bodies := make([]entryBody, 0, len(lines))
	for _, line := range lines {
		bodies = append(bodies, bodyOfEntry(line))
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Entries []entryBody `json:"entries"`
		Head    headBody    `json:"head"`
		Next    string      `json:"next,omitempty"`
	}{bodies, headBody{head.Seq, head.Hash}, next})
}

type headBody struct {
	Seq  int64       `json:"seq"`
	Hash domain.Hash `json:"hash"`
}

func entryNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, httpapi.Invalid("before is the number of an entry, not " + strconv.Quote(text))
	}
	return n, nil
}
