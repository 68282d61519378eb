package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Why a snapshot is not believed.
var (
	// ErrSignature means that nobody whose signature counts vouches for a
	// snapshot. ErrUnsigned and ErrUnknownKey are kinds of it.
	ErrSignature = errors.New("signature not verified")
	// ErrUnsigned means that a snapshot bears no signature at all.
	ErrUnsigned = fmt.Errorf("%w: it bears none", ErrSignature)
	// ErrUnknownKey means that a snapshot is signed by a key that does not count,
	// or not yet.
	ErrUnknownKey = fmt.Errorf("%w: unknown key", ErrSignature)
)

// Tags say what a signature is of, so that one of a kind never passes for one of
// another.
const (
	snapshotTag = "herald-snapshot-v1"
	keyTag      = "herald-key-v1"
)

// A Signature says which key vouches for a snapshot, and how. The zero value is
// none.
type Signature struct {
	KeyID string
	Bytes [ed25519.SignatureSize]byte
}

// Signed reports whether there is a signature, good or not.
func (s Signature) Signed() bool { return s.KeyID != "" }

// SigningInput returns the bytes that the signature of a snapshot is over: a tag,
// the epoch, the namespace, the revision in decimal, and the SHA-256 of the
// decoded body in lower-case hexadecimal, each followed by one newline.
func SigningInput(namespace Name, at Position, digest Digest) []byte {
	return lines(snapshotTag, string(at.Epoch), string(namespace), strconv.FormatInt(int64(at.Revision), 10), digest.Hex())
}

func lines(fields ...string) []byte {
	var b []byte
	for _, field := range fields {
		b = append(append(b, field...), '\n')
	}
	return b
}

// SigningInput returns the bytes that the snapshot's signature is over.
func (s *Snapshot) SigningInput() []byte { return SigningInput(s.Namespace, s.Position, s.Digest) }

// Sign returns the key's signature of the snapshot, always the same one.
func Sign(key ed25519.PrivateKey, s *Snapshot) Signature {
	public := key.Public().(ed25519.PublicKey) // it is nothing else
	return Signature{KeyID: KeyID(public), Bytes: [ed25519.SignatureSize]byte(ed25519.Sign(key, s.SigningInput()))}
}

// Verify returns nil if one of the keys vouches for the snapshot, and otherwise
// an error that wraps ErrSignature: ErrUnsigned, ErrUnknownKey, or that the
// signature is not of these bytes.
func (s *Snapshot) Verify(keys Keys) error {
	if !s.Signature.Signed() {
		return fmt.Errorf("%w: %s at %d", ErrUnsigned, s.Namespace, s.Revision)
	}
	key, ok := keys.Find(s.Signature.KeyID)
	if !ok {
		return fmt.Errorf("%w: %s at %d is signed by %s", ErrUnknownKey, s.Namespace, s.Revision, quote(s.Signature.KeyID))
	}
	if !key.verifies(s.SigningInput(), s.Signature.Bytes[:]) {
		return fmt.Errorf("%w: %s at %d is not what the key %s signed", ErrSignature, s.Namespace, s.Revision, key.ID)
	}
	return nil
}

// Header returns the signature as a Herald-Signature field.
func (s Signature) Header() string {
	return `keyid="` + s.KeyID + `", sig=:` + base64.StdEncoding.EncodeToString(s.Bytes[:]) + ":"
}

// maxKeyID is how long the ID of a key may be.
const maxKeyID = 64

// maxSignatureHeader holds a field with the longest ID and room for blanks.
const maxSignatureHeader = 256

// ParseSignature reads a Herald-Signature field: keyid="<id>", sig=:<base64>:,
// and nothing else. The error wraps ErrSignature.
func ParseSignature(header string) (Signature, error) {
	malformed := func(why string) (Signature, error) {
		return Signature{}, fmt.Errorf("%w: Herald-Signature %s: %s", ErrSignature, quote(header), why)
	}
	if len(header) > maxSignatureHeader {
		return malformed("too long")
	}
	first, second, found := strings.Cut(header, ",")
	id, named := enclosed(first, `keyid="`, `"`)
	text, given := enclosed(second, "sig=:", ":")
	if !found || !named || !given {
		return malformed(`it must be keyid="<id>", sig=:<base64>:`)
	}
	if !validKeyID(id) {
		return malformed("the ID of the key is none")
	}
	// Strict, and of one length: no two fields mean the same signature.
	sig, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(sig) != ed25519.SignatureSize || len(text) != base64.StdEncoding.EncodedLen(ed25519.SignatureSize) {
		return malformed("the signature is not 64 bytes in base64")
	}
	return Signature{KeyID: id, Bytes: [ed25519.SignatureSize]byte(sig)}, nil
}

// enclosed returns what stands between before and after, blanks around them left out.
func enclosed(s, before, after string) (string, bool) {
	s, begins := strings.CutPrefix(strings.Trim(s, " \t"), before)
	s, ends := strings.CutSuffix(s, after)
	return s, begins && ends
}

// validKeyID reports whether s can be the ID of a key: 1 to 64 lower-case letters
// and digits.
func validKeyID(s string) bool {
	foreign := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	return s != "" && len(s) <= maxKeyID && !strings.ContainsFunc(s, foreign)
}
