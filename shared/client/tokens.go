package client

import "time"

// A Token is one of the list of tokens. Token itself is there when it is made,
// and only then.
type Token struct {
	DryRun     bool       `json:"dry_run"`
	ID         string     `json:"id"`
	Token      string     `json:"token"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	Namespaces []string   `json:"namespaces"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}
