package handler

import (
	"net/http"
	"slices"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/httpapi"
)

const maxTokenBody = 64 << 10

// A tokenBody is a token as JSON has it. Token is there once, when it is made.
type tokenBody struct {
	DryRun     bool         `json:"dry_run,omitempty"`
	ID         string       `json:"id,omitempty"` // which one that was only tried has none of
	Token      string       `json:"token,omitempty"`
	Name       string       `json:"name"`
	Role       domain.Role  `json:"role"`
	Namespaces domain.Scope `json:"namespaces"`
	CreatedAt  time.Time    `json:"created_at"`
	ExpiresAt  *time.Time   `json:"expires_at"`
	LastUsedAt *time.Time   `json:"last_used_at"`
	RevokedAt  *time.Time   `json:"revoked_at"`
}

func bodyOfToken(t domain.Token, secret string) tokenBody {
	return tokenBody{
		ID: t.ID, Token: secret, Name: t.Name, Role: t.Role, Namespaces: t.Namespaces, CreatedAt: t.CreatedAt,
		ExpiresAt: orNull(t.ExpiresAt), LastUsedAt: orNull(t.LastUsedAt), RevokedAt: orNull(t.RevokedAt),
	}
}

// orNull is a time as JSON has it, null for never.
func orNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return new(at.UTC())
}

// postToken answers POST /v1/tokens: 201, and the token this once. Where it is only
// tried there is none: 200, and what it would open.
func (h *Handler) postToken(w http.ResponseWriter, r *http.Request) error {
	var asked struct {
		Name       string       `json:"name"`
		Role       domain.Role  `json:"role"`
		Namespaces domain.Scope `json:"namespaces"`
		ExpiresAt  *time.Time   `json:"expires_at"`
	}
	asked.Namespaces = slices.Clone(domain.AllNamespaces) // where none is said; null is none
	if err := httpapi.ReadJSON(w, r, maxTokenBody, &asked); err != nil {
		return err
	}
	token := domain.Token{Name: asked.Name, Role: asked.Role, Namespaces: asked.Namespaces}
	if asked.ExpiresAt != nil {
		token.ExpiresAt = *asked.ExpiresAt
	}
	dry, err := switchOf(r, "dry_run")
	if err != nil {
		return err
	}
	if dry {
		tried, err := h.Tokens.TryCreate(token)
		return writeTriedToken(w, tried, err)
	}
	made, secret, err := h.Tokens.Create(r.Context(), actorOf(r), token)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/tokens/"+made.ID)
	return httpapi.WriteJSON(w, http.StatusCreated, bodyOfToken(made, secret))
}

// listTokens answers GET /v1/tokens: those that do not count any more too.
func (h *Handler) listTokens(w http.ResponseWriter, r *http.Request) error {
	p, err := pageOf(r, "after")
	if err != nil {
		return err
	}
	lines, next := cut(p, h.Tokens.List(p.cursor, p.limit+1), func(t domain.Token) string { return t.ID })
	bodies := make([]tokenBody, 0, len(lines))
	for _, line := range lines {
		bodies = append(bodies, bodyOfToken(line, ""))
	}
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Tokens []tokenBody `json:"tokens"`
		Next   string      `json:"next,omitempty"`
	}{bodies, next})
}

// deleteToken answers DELETE /v1/tokens/{id}: from then on the token opens
// nothing. It stays in the list, so that the audit can be read.
func (h *Handler) deleteToken(w http.ResponseWriter, r *http.Request) error {
	dry, err := switchOf(r, "dry_run")
	if err != nil {
		return err
	}
	if dry {
		tried, err := h.Tokens.TryRevoke(r.PathValue("id"))
		return writeTriedToken(w, tried, err)
	}
	revoked, err := h.Tokens.Revoke(r.Context(), actorOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusOK, bodyOfToken(revoked, ""))
}

// writeTriedToken answers with what would have become of a token, or with why nothing
// would.
func writeTriedToken(w http.ResponseWriter, token domain.Token, err error) error {
	if err != nil {
		return err
	}
	body := bodyOfToken(token, "")
	body.DryRun = true
	return httpapi.WriteJSON(w, http.StatusOK, body)
}
