package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrKeys means that a list of signing keys is not one.
var ErrKeys = errors.New("not a list of signing keys")

const (
	// MaxKeys is how many keys a list has at most.
	MaxKeys = 1000
	// MaxKeysBody is how many bytes of JSON a list of keys has at most.
	MaxKeysBody = 1 << 20
	// KeyAlgorithm is the one that there is.
	KeyAlgorithm = "ed25519"
)

// A Key is the public half of a signing key, as GET /v1/signing-keys lists it.
// Each but the first is signed by the one before: who knows a key can follow the
// chain to the newest.
type Key struct {
	ID        string    `json:"id"` // KeyID of Public
	Algorithm string    `json:"alg"`
	Public    []byte    `json:"public"`              // 32 bytes
	Since     time.Time `json:"since"`               // which nobody vouches for
	SignedBy  string    `json:"signed_by,omitempty"` // the ID of the former key; "" for the first
	Sig       []byte    `json:"sig,omitempty"`       // the former key's, over SigningInput
}

// KeyID returns the ID of a public key: the first 128 bits of its SHA-256 in
// base32 with the extended hex alphabet (RFC 4648), in lower case. It follows
// from the key, so that no other key can be given its name.
func KeyID(public []byte) string { return string(DigestOf(public).ETag()) }

// NewKey returns the first key of a chain.
func NewKey(public ed25519.PublicKey, since time.Time) Key {
	return Key{ID: KeyID(public), Algorithm: KeyAlgorithm, Public: public, Since: since.UTC().Truncate(time.Second)}
}

// SigningInput returns the bytes that the former key signs: a tag, the ID, and
// the public key in base64, each followed by one newline.
func (k Key) SigningInput() []byte {
	return lines(keyTag, k.ID, base64.StdEncoding.EncodeToString(k.Public))
}

// verifies reports whether sig is the key's over input.
func (k Key) verifies(input, sig []byte) bool {
	return len(k.Public) == ed25519.PublicKeySize && ed25519.Verify(k.Public, input, sig)
}

// check returns an error for what is no key.
func (k Key) check() error {
	switch {
	case k.Algorithm != KeyAlgorithm:
		return fmt.Errorf("algorithm %s of a key is unknown", quote(k.Algorithm))
	case len(k.Public) != ed25519.PublicKeySize:
		return fmt.Errorf("the public key %s has %d bytes, not %d", quote(k.ID), len(k.Public), ed25519.PublicKeySize)
	case k.ID != KeyID(k.Public):
		return fmt.Errorf("%s is not the ID of its public key, which is %s", quote(k.ID), KeyID(k.Public))
	case k.SignedBy == "" && len(k.Sig) == 0:
		return nil
	case !validKeyID(k.SignedBy) || len(k.Sig) != ed25519.SignatureSize:
		return fmt.Errorf("the key %s has no whole signature of its former key", k.ID)
	}
	return nil
}

// Keys is a list of keys, newest first.
type Keys []Key

// Find returns the key of that ID.
func (ks Keys) Find(id string) (Key, bool) {
	for _, k := range ks {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

// keysBody is how a list of keys is written.
type keysBody struct {
	Keys Keys `json:"keys"`
}

// Encode returns the list as GET /v1/signing-keys answers it.
func (ks Keys) Encode() []byte {
	if ks == nil {
		ks = Keys{}
	}
	body, err := json.Marshal(keysBody{ks})
	if err != nil {
		panic("config: " + err.Error()) // our own type always encodes, but for years beyond 9999
	}
	return append(body, '\n')
}

// ParseKeys reads a list of keys as GET /v1/signing-keys answers it: at most
// MaxKeys of them, each whole in itself and there once. Whether one vouches for
// another is for Chained and Extend to say. The error wraps ErrKeys.
func ParseKeys(body []byte) (Keys, error) {
	if len(body) > MaxKeysBody {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrKeys, MaxKeysBody)
	}
	var list keysBody
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	if list.Keys == nil {
		return nil, fmt.Errorf("%w: it has no member keys", ErrKeys)
	}
	if err := list.Keys.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	return list.Keys, nil
}

func (ks Keys) check() error {
	if len(ks) > MaxKeys {
		return fmt.Errorf("more than %d keys", MaxKeys)
	}
	seen := make(map[string]bool, len(ks))
	for _, k := range ks {
		if err := k.check(); err != nil {
			return err
		}
		if seen[k.ID] {
			return fmt.Errorf("the key %s is there twice", k.ID)
		}
		seen[k.ID] = true
	}
	return nil
}

// Chained returns nil if the list is one whole chain, newest first: each key
// signed by the one behind it, the last by none. The error wraps ErrKeys.
func (ks Keys) Chained() error {
	if len(ks) == 0 {
		return fmt.Errorf("%w: it is empty", ErrKeys)
	}
	for i, k := range ks[:len(ks)-1] {
		former := ks[i+1]
		if k.SignedBy != former.ID || !former.verifies(k.SigningInput(), k.Sig) {
			return fmt.Errorf("%w: the key %s is not signed by the one before it, %s", ErrKeys, k.ID, former.ID)
		}
	}
	if first := ks[len(ks)-1]; first.SignedBy != "" {
		return fmt.Errorf("%w: the key %s, which signed %s, is missing", ErrKeys, quote(first.SignedBy), first.ID)
	}
	return nil
}

// Succeeded returns the keys with a newer one, which the newest of them signs by
// its private half.
func (ks Keys) Succeeded(former ed25519.PrivateKey, next ed25519.PublicKey, at time.Time) Keys {
	k := NewKey(next, at)
	k.SignedBy, k.Sig = ks[0].ID, ed25519.Sign(former, k.SigningInput())
	return append(Keys{k}, ks...)
}

// Extend returns the keys together with those of offered that they vouch for,
// directly or through others that they vouch for. The rest is left out. The error
// wraps ErrKeys: together they would be more than MaxKeys.
func (ks Keys) Extend(offered Keys) (Keys, error) {
	known := make(map[string]Key, len(ks))
	for _, k := range ks {
		known[k.ID] = k
	}
	var accepted Keys // the former before the later
	left := slices.Clone(offered)
	slices.Reverse(left) // the oldest first, as a rule: one pass will do
	for before := -1; before < len(accepted); {
		before = len(accepted)
		var waiting Keys
		for _, k := range left {
			former, vouched := known[k.SignedBy]
			switch _, have := known[k.ID]; {
			case have || k.check() != nil:
			case !vouched:
				waiting = append(waiting, k)
			case former.verifies(k.SigningInput(), k.Sig):
				known[k.ID], accepted = k, append(accepted, k)
			}
		}
		left = waiting
	}
	if len(ks)+len(accepted) > MaxKeys {
		return nil, fmt.Errorf("%w: more than %d keys", ErrKeys, MaxKeys)
	}
	slices.Reverse(accepted)
	return append(accepted, ks...), nil
}
