package usecase

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
)

// Create makes a token and returns it with its secret, which is told this once.
// It fails with ErrFirstAdmin, ErrFull, an error that wraps
// domain.ErrInvalidToken, or as Vault does.
func (t *Tokens) Create(ctx context.Context, by domain.Actor, asked domain.Token) (domain.Token, string, error) {
	t.changing.Lock()
	defer t.changing.Unlock()
	if err := t.checkFirst(asked); err != nil {
		return domain.Token{}, "", err
	}
	token, secret, err := t.mint(asked)
	if err != nil {
		return domain.Token{}, "", err
	}
	if err := t.keep(ctx, domain.ActionTokenCreate, by, token); err != nil {
		return domain.Token{}, "", err
	}
	return token, secret, nil
}

// TryCreate returns the token that Create would make, without an ID, or fails as it
// would.
func (t *Tokens) TryCreate(asked domain.Token) (domain.Token, error) {
	if err := t.checkFirst(asked); err != nil {
		return domain.Token{}, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.draft(asked)
}

// checkFirst returns ErrFirstAdmin for what would be the first token and is not an
// admin's.
func (t *Tokens) checkFirst(asked domain.Token) error {
	if asked.Role != domain.Admin && !t.Exist() {
		return ErrFirstAdmin
	}
	return nil
}

// draft is the token that is asked for, as long as nothing opens it. t.mu is held.
func (t *Tokens) draft(asked domain.Token) (domain.Token, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	if err := asked.Check(now); err != nil {
		return domain.Token{}, err
	}
	if len(t.tokens) >= maxTokens {
		return domain.Token{}, fmt.Errorf("%w: there are %d tokens already", ErrFull, maxTokens)
	}
	return domain.Token{
		Name: asked.Name, Role: asked.Role, Namespaces: asked.Namespaces, CreatedAt: now,
		ExpiresAt: asked.ExpiresAt.UTC().Truncate(time.Millisecond),
	}, nil
}

// mint makes the token that is asked for, with 256 random bits.
func (t *Tokens) mint(asked domain.Token) (domain.Token, string, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	token, err := t.draft(asked)
	if err != nil {
		return domain.Token{}, "", err
	}
	for taken := true; taken; _, taken = t.tokens[token.ID] {
		token.ID = random(8)[:idLength]
	}
	secret := tokenMark + token.ID + "_" + random(32)
	token.Hash = sha256.Sum256([]byte(secret))
	return token, secret, nil
}

// random returns so many random bytes in letters and digits.
func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // it ends the program rather than fail
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// keep saves tokens and tells the audit; only then they count.
func (t *Tokens) keep(ctx context.Context, action string, by domain.Actor, tokens ...domain.Token) error {
	told := make([]domain.Entry, 0, len(tokens))
	for _, token := range tokens {
		told = append(told, token.Entry(action, by, time.Now()))
	}
	if err := t.vault.SaveTokens(ctx, tokens, told); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, token := range tokens {
		t.tokens[token.ID] = token
	}
	return nil
}

// Revoke ends a token. One that was revoked before stays as it is. It fails with
// an error that wraps domain.ErrNotFound, or as Vault does.
func (t *Tokens) Revoke(ctx context.Context, by domain.Actor, id string) (domain.Token, error) {
	t.changing.Lock()
	defer t.changing.Unlock()
	token, changed, err := t.revoked(id)
	if err != nil || !changed {
		return token, err
	}
	if err := t.keep(ctx, domain.ActionTokenRevoke, by, token); err != nil {
		return domain.Token{}, err
	}
	return token, nil
}

// TryRevoke returns the token as Revoke would leave it, or fails as it would.
func (t *Tokens) TryRevoke(id string) (domain.Token, error) {
	token, _, err := t.revoked(id)
	return token, err
}

// revoked returns a token as it is once it is revoked, and whether it was not.
func (t *Tokens) revoked(id string) (token domain.Token, changed bool, err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	token, ok := t.tokens[id]
	if !ok {
		return domain.Token{}, false, fmt.Errorf("%w: token %.40q", domain.ErrNotFound, id)
	}
	if !token.RevokedAt.IsZero() {
		return token, false, nil
	}
	token.RevokedAt = time.Now().UTC().Truncate(time.Millisecond)
	return token, true, nil
}

// Bootstrap makes the tokens that are asked for where there are none yet. hand is
// given their secrets by name before they count: should it fail there are none. made is
// false where there were tokens.
func (t *Tokens) Bootstrap(ctx context.Context, asked []domain.Token, hand func(secrets map[string]string) error) (made bool, err error) {
	t.changing.Lock()
	defer t.changing.Unlock()
	t.mu.RLock()
	kept := len(t.tokens)
	t.mu.RUnlock()
	if kept > 0 {
		return false, nil
	}
	secrets, tokens := map[string]string{}, make([]domain.Token, 0, len(asked))
	for _, each := range asked {
		token, secret, err := t.mint(each)
		if err != nil {
			return false, err
		}
		tokens, secrets[token.Name] = append(tokens, token), secret
	}
	if err := hand(secrets); err != nil {
		return false, err
	}
	return true, t.keep(ctx, domain.ActionTokenCreate, domain.Actor{Name: "herald"}, tokens...)
}
