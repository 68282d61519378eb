package domain

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A Role says what a token is for.
type Role string

// The roles. Admin may do everything; the others are bound to namespaces.
const (
	Admin     Role = "admin"
	Publisher Role = "publisher"
	AgentRole Role = "agent"
	Reader    Role = "reader"
)

// Roles are all of them.
var Roles = []Role{Admin, Publisher, AgentRole, Reader}

// ErrInvalidToken means that a token cannot be made as it is asked for.
var ErrInvalidToken = errors.New("no such token can be made")

// Why somebody is not let in.
var (
	// ErrUnauthorized means that nobody knows who asks.
	ErrUnauthorized = errors.New("not signed in")
	// ErrForbidden means that who asks may not.
	ErrForbidden = errors.New("not allowed")
)

// An Actor is who does something: the holder of a token, or anonymous.
type Actor struct {
	TokenID string // "" where no token of the store is behind it
	Name    string // the author of what it commits
	Role    Role
}

// Anonymous is who asks a controller that has no tokens: it may do everything.
var Anonymous = Actor{Name: "anonymous", Role: Admin}

// A Scope is the namespaces that a token opens: each line is a name, or the
// beginning of names with a * behind it. * alone is all of them.
type Scope []string

// AllNamespaces opens them all.
var AllNamespaces = Scope{"*"}

// Holds reports whether the scope opens a namespace, be it there or not.
func (s Scope) Holds(namespace config.Name) bool {
	return slices.ContainsFunc(s, func(line string) bool {
		if begin, open := strings.CutSuffix(line, "*"); open {
			return strings.HasPrefix(string(namespace), begin)
		}
		return line == string(namespace)
	})
}

// All reports whether the scope opens all namespaces.
func (s Scope) All() bool { return slices.Contains(s, "*") }

// A Token is what the controller knows of a token: all but the token itself.
type Token struct {
	ID         string
	Name       string
	Role       Role
	Namespaces Scope
	Hash       [sha256.Size]byte // of the whole token, as it is sent
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero where it does not expire, as the two below
	LastUsedAt time.Time
	RevokedAt  time.Time
}

// Bounds of what a token says of itself.
const (
	maxTokenNamespaces = 100
	maxNamespaceLine   = 64
)

var (
	tokenNameRule = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9 ._@+-]{0,62}[A-Za-z0-9])?$`)
	beginningRule = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*\*$`)
)

// Check returns an error that wraps ErrInvalidToken for a token that cannot be
// made at that time.
func (t Token) Check(at time.Time) error {
	switch {
	case !tokenNameRule.MatchString(t.Name):
		return fmt.Errorf("%w: a name is 1 to 64 letters, digits, blanks and . _ @ + -, with a letter or digit at both ends", ErrInvalidToken)
	case t.Name == Anonymous.Name:
		return fmt.Errorf("%w: %s is who brings none", ErrInvalidToken, Anonymous.Name)
	case !slices.Contains(Roles, t.Role):
		return fmt.Errorf("%w: a role is admin, publisher, agent or reader", ErrInvalidToken)
	case !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(at):
		return fmt.Errorf("%w: it would have expired already", ErrInvalidToken)
	case t.Role == Admin && !t.Namespaces.All():
		return fmt.Errorf("%w: an admin is not bound to namespaces: leave them out", ErrInvalidToken)
	}
	return t.Namespaces.check()
}

func (s Scope) check() error {
	if len(s) == 0 || len(s) > maxTokenNamespaces {
		return fmt.Errorf("%w: it opens 1 to %d namespaces; leave them out to open all", ErrInvalidToken, maxTokenNamespaces)
	}
	for _, line := range s {
		if line == "*" || (beginningRule.MatchString(line) && len(line) <= maxNamespaceLine) {
			continue
		}
		if _, err := config.ParseName(line); err != nil {
			return fmt.Errorf("%w: a namespace is a name, a beginning as in team-*, or * for all, not %.80q", ErrInvalidToken, line)
		}
	}
	return nil
}

// Matches reports whether that digest is of this token. How long it takes says
// nothing of where the two differ.
func (t Token) Matches(digest [sha256.Size]byte) bool {
	return subtle.ConstantTimeCompare(t.Hash[:], digest[:]) == 1
}

// Live returns nil while the token counts, and otherwise an error that wraps
// ErrUnauthorized.
func (t Token) Live(at time.Time) error {
	switch {
	case !t.RevokedAt.IsZero():
		return fmt.Errorf("%w: this token was revoked", ErrUnauthorized)
	case !t.ExpiresAt.IsZero() && !at.Before(t.ExpiresAt):
		return fmt.Errorf("%w: this token has expired", ErrUnauthorized)
	}
	return nil
}

// Actor is who the token speaks for.
func (t Token) Actor() Actor { return Actor{TokenID: t.ID, Name: t.Name, Role: t.Role} }
