package domain

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/heraldconf/herald/shared/config"
)

// Why settings are refused, and why a commit is refused for them.
var (
	ErrInvalidSettings = errors.New("settings out of bounds")
	ErrFrozen          = errors.New("frozen")
)

// Bounds of a freeze.
const (
	maxFreeze = 366 * 24 * time.Hour
	maxReason = 1 << 10
)

// Settings are what a namespace's operators set for it. They are no part of any
// revision: a rollback does not bring old ones back.
type Settings struct {
	Guards Guards `json:"guards"`
	// Retention says how much of the history keeps its documents.
	Retention Retention `json:"retention,omitzero"`
	// FrozenUntil is when commits are taken again; zero where they are taken.
	FrozenUntil time.Time `json:"frozen_until,omitzero"`
	Reason      string    `json:"reason,omitempty"` // of the freeze
	// Protected says that commits wait for the approval of another token, except
	// those of an admin.
	Protected bool `json:"protected"`
}

// DefaultSettings are those of a namespace that nobody set any for.
var DefaultSettings = Settings{Guards: DefaultGuards}

// Check returns an error that wraps ErrInvalidSettings for what cannot be meant.
func (s Settings) Check(at time.Time) error {
	switch g := s.Guards; {
	case g.Configs < 1:
		return fmt.Errorf("%w: guards.configs is 1 at least", ErrInvalidSettings)
	case g.DeletedPercent < 0 || g.DeletedPercent > 100 || g.KeptPercent < 0 || g.KeptPercent > 100:
		return fmt.Errorf("%w: guards.deleted_percent and guards.kept_percent are 0 to 100", ErrInvalidSettings)
	case s.FrozenUntil.IsZero() && s.Reason != "":
		return fmt.Errorf("%w: a reason is that of a freeze: say frozen_until too", ErrInvalidSettings)
	case s.FrozenUntil.After(at.Add(maxFreeze)):
		return fmt.Errorf("%w: a freeze ends within a year", ErrInvalidSettings)
	case len(s.Reason) > maxReason || !printable(s.Reason):
		return fmt.Errorf("%w: a reason is one line of at most %d bytes", ErrInvalidSettings, maxReason)
	}
	return s.Retention.Check()
}

// CheckProtection returns an error that wraps ErrInvalidSettings where nobody could
// ever approve what waits.
func (s Settings) CheckProtection(by Actor) error {
	if s.Protected && by == Anonymous {
		return fmt.Errorf("%w: a protected namespace needs tokens, since without them everybody is the same and nobody could approve: make the first one, of the role admin", ErrInvalidSettings)
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// ActionSettings is what the audit calls a change of settings.
const ActionSettings = "namespace.set"

// Entry tells of settings that somebody made for a namespace.
func (s Settings) Entry(namespace config.Name, by Actor, at time.Time) Entry {
	detail := fmt.Sprintf("guards: empty %t, from %d configs on at most %d%% deleted and at least %d%% kept", s.Guards.Empty, s.Guards.Configs, s.Guards.DeletedPercent, s.Guards.KeptPercent)
	if !s.FrozenUntil.IsZero() {
		detail += fmt.Sprintf("; frozen until %s: %.300s", s.FrozenUntil.UTC().Format(time.RFC3339), s.Reason)
	}
	if r := s.Retention; !r.Everything() {
		detail += fmt.Sprintf("; the history is kept for %d revisions and %d days", r.Revisions, r.Days)
	}
	if s.Protected {
		detail += "; protected"
	}
	return Entry{At: at, Actor: by, Action: ActionSettings, Target: string(namespace), Outcome: OutcomeDone, Detail: detail}
}

// checkFreeze returns an error that wraps ErrFrozen while the namespace is frozen.
// Who is not known is held too, although without tokens anybody may do all else.
func (n Namespace) checkFreeze(at time.Time, actor Actor) error {
	until := n.Settings.FrozenUntil
	if !at.Before(until) || (actor.Role == Admin && actor != Anonymous) {
		return nil
	}
	reason := ""
	if n.Settings.Reason != "" {
		reason = ": " + n.Settings.Reason
	}
	return fmt.Errorf("%w: %s takes no commits until %s%s; force does not pass it, a token with the role admin does", ErrFrozen, n.Name, until.UTC().Format(time.RFC3339), reason)
}
