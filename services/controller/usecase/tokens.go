package usecase

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
)

// A Vault keeps tokens, but of each no more than its digest. Its errors wrap
// ErrUnavailable or ErrStorageFull.
type Vault interface {
	// LoadTokens returns all tokens, those that do not count any more too.
	LoadTokens(ctx context.Context) ([]domain.Token, error)
	// SaveTokens keeps tokens and what the audit tells of them, or neither.
	SaveTokens(ctx context.Context, tokens []domain.Token, told []domain.Entry) error
	// TokensUsed keeps when tokens were used last.
	TokensUsed(ctx context.Context, used map[string]time.Time) error
}

// ErrFirstAdmin means that the first token would lock everybody out.
var ErrFirstAdmin = errors.New("the first token must be of the role admin: from then on only an admin can make others")

const (
	maxTokens = 10_000
	useEvery  = time.Minute // how stale a kept "last used" may be
	tokenMark = "herald_"
	idLength  = 10
)

// Tokens knows who asks. All are in memory, so that a revocation counts at once
// and a request costs the store nothing.
type Tokens struct {
	vault  Vault
	given  *domain.Token // the admin's, where it came from outside
	logger *slog.Logger

	changing sync.Mutex // one change at a time, from its rule to the disk
	mu       sync.RWMutex
	tokens   map[string]domain.Token
	used     map[string]time.Time // not kept yet
}

// NewTokens returns the tokens of a vault. given is an admin's token that was set
// from outside; it may be empty.
func NewTokens(ctx context.Context, vault Vault, given string, logger *slog.Logger) (*Tokens, error) {
	kept, err := vault.LoadTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	t := &Tokens{vault: vault, logger: logger, tokens: map[string]domain.Token{}, used: map[string]time.Time{}}
	for _, token := range kept {
		t.tokens[token.ID] = token
	}
	if given != "" {
		t.given = &domain.Token{Name: "admin", Role: domain.Admin, Namespaces: domain.AllNamespaces, Hash: sha256.Sum256([]byte(given))}
	}
	return t, nil
}

// Exist reports whether there are tokens, be it that none counts any more. Where
// there are none everybody is anonymous.
func (t *Tokens) Exist() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.exist()
}

func (t *Tokens) exist() bool { return t.given != nil || len(t.tokens) > 0 }

// Authenticate returns the token that a secret is of. Where there are no tokens it
// is one that opens everything. It fails with an error that wraps
// domain.ErrUnauthorized; the token then is the one that was meant, if there is one.
func (t *Tokens) Authenticate(secret string) (domain.Token, error) {
	digest, now := sha256.Sum256([]byte(secret)), time.Now()
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch {
	case !t.exist():
		return domain.Token{Name: domain.Anonymous.Name, Role: domain.Anonymous.Role, Namespaces: domain.AllNamespaces}, nil
	case secret == "":
		return domain.Token{}, fmt.Errorf("%w: this needs a token: send Authorization: Bearer TOKEN", domain.ErrUnauthorized)
	case t.given != nil && t.given.Matches(digest):
		return *t.given, nil
	}
	token, ok := t.tokens[idOf(secret)]
	if !token.Matches(digest) || !ok {
		return domain.Token{}, fmt.Errorf("%w: nobody has this token", domain.ErrUnauthorized)
	}
	return token, token.Live(now)
}

// idOf reads the ID of a token out of its text, "" where it has none.
func idOf(secret string) string {
	rest, ok := strings.CutPrefix(secret, tokenMark)
	id, _, both := strings.Cut(rest, "_")
	if !ok || !both {
		return ""
	}
	return id
}

// Live returns nil while a token still counts, and otherwise an error that wraps
// domain.ErrUnauthorized: an answer that was held may have outlived its token.
func (t *Tokens) Live(id string) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if id == "" {
		return nil
	}
	return t.tokens[id].Live(time.Now())
}

// Used notes that a token was used.
func (t *Tokens) Used(id string) {
	now := time.Now()
	t.mu.RLock()
	token, ok := t.tokens[id]
	t.mu.RUnlock()
	if !ok || now.Sub(token.LastUsedAt) < time.Second {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	token = t.tokens[id]
	token.LastUsedAt = now
	t.tokens[id], t.used[id] = token, now
}

// Run keeps when tokens were used until ctx ends, and then what is left.
func (t *Tokens) Run(ctx context.Context) {
	tick := time.NewTicker(useEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			t.keepUse(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			t.keepUse(ctx)
		}
	}
}

func (t *Tokens) keepUse(ctx context.Context) {
	t.mu.Lock()
	used := t.used
	t.used = map[string]time.Time{}
	t.mu.Unlock()
	if len(used) == 0 {
		return
	}
	if err := t.vault.TokensUsed(ctx, used); err != nil {
		t.logger.Warn("cannot keep when tokens were used", "error", err)
	}
}

// List returns the tokens in the order of their names, at most limit, from behind
// the one of that ID on.
func (t *Tokens) List(after string, limit int) []domain.Token {
	t.mu.RLock()
	defer t.mu.RUnlock()
	behind, paged := t.tokens[after]
	var tokens []domain.Token
	for _, token := range t.tokens {
		if !paged || inOrder(behind, token) < 0 {
			tokens = append(tokens, token)
		}
	}
	slices.SortFunc(tokens, inOrder)
	return tokens[:min(limit, len(tokens))]
}

func inOrder(a, b domain.Token) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}
