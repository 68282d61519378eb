package config

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"iter"
	"strings"
)

// An ETag identifies bytes: a strong entity tag (RFC 9110, section 8.8.3)
// without its quotes and without the suffix of a content coding.
type ETag string

var etagAlphabet = base32.HexEncoding.WithPadding(base32.NoPadding)

// ETagOf returns the ETag of a body.
func ETagOf(body []byte) ETag { return DigestOf(body).ETag() }

// Quoted returns the tag as a header carries it. coding is the content coding
// of the answer, "" for none.
func (e ETag) Quoted(coding string) string {
	if coding == "" {
		return `"` + string(e) + `"`
	}
	return `"` + string(e) + "-" + coding + `"`
}

// codings are the content codings whose name may stand behind an ETag.
var codings = []string{"-gzip", "-zstd", "-dcz"}

// ParseETag reads one entity tag from a header, without its quotes and without
// the suffix of a content coding. A weak tag is none: it cannot tell bytes apart.
func ParseETag(header string) (ETag, bool) {
	s := strings.TrimSpace(header)
	if len(s) < 3 || len(s) > 200 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	tag := s[1 : len(s)-1]
	for i := range len(tag) {
		if tag[i] <= ' ' || tag[i] == '"' || tag[i] >= 0x7f {
			return "", false
		}
	}
	for _, coding := range codings {
		if base, ok := strings.CutSuffix(tag, coding); ok && base != "" {
			return ETag(base), true
		}
	}
	return ETag(tag), true
}

// ParseETags reads a list of entity tags, as If-Match carries them. any is true
// for "*". Weak tags are left out.
func ParseETags(headers []string) (tags []ETag, any bool) { return parseETags(headers, "") }

// HeldETags reads the list of an If-None-Match, weak tags too (RFC 9110, section
// 13.1.2): a proxy that codes a body makes its tag weak, and who holds that body
// has nothing new to learn.
func HeldETags(headers []string) (tags []ETag, any bool) { return parseETags(headers, "W/") }

func parseETags(headers []string, weak string) (tags []ETag, any bool) {
	for _, header := range headers {
		for part := range elements(header) {
			part = strings.TrimSpace(part)
			if part == "*" {
				return nil, true
			}
			if tag, ok := ParseETag(strings.TrimPrefix(part, weak)); ok {
				tags = append(tags, tag)
			}
		}
	}
	return tags, false
}

// AreETags reports whether that is what If-Match and If-None-Match may say: "*", or
// a list of entity tags, weak ones too.
func AreETags(headers []string) bool {
	tags, any := 0, 0
	for _, header := range headers {
		for part := range elements(header) {
			switch part = strings.TrimSpace(part); part {
			case "*":
				any++
			case "":
			case `""`, `W/""`:
				tags++ // it is of no body
			default:
				if _, ok := ParseETag(strings.TrimPrefix(part, "W/")); !ok {
					return false
				}
				tags++
			}
		}
	}
	return any+tags > 0 && (any == 0 || any+tags == 1)
}

// elements are the members of a list. A tag may have commas in it, so one within
// quotes parts nothing: `"a,*,b"` is one tag, and does not mean "*".
func elements(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		from, quoted := 0, false
		for i := range len(list) {
			switch {
			case list[i] == '"':
				quoted = !quoted
			case list[i] == ',' && !quoted:
				if !yield(list[from:i]) {
					return
				}
				from = i + 1
			}
		}
		yield(list[from:])
	}
}

// A Digest is the SHA-256 of a body's decoded bytes.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a body.
func DigestOf(body []byte) Digest { return sha256.Sum256(body) }

// ETag returns the first 128 bits of the digest as an entity tag.
func (d Digest) ETag() ETag {
	return ETag(strings.ToLower(etagAlphabet.EncodeToString(d[:16])))
}

// Hex returns the digest in lower-case hexadecimal.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// Header returns the digest as a Repr-Digest field (RFC 9530).
func (d Digest) Header() string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(d[:]) + ":"
}

// ErrNoDigest means that a Repr-Digest field names no SHA-256.
var ErrNoDigest = errors.New("no sha-256 in Repr-Digest")

// ParseDigest reads the SHA-256 of a Repr-Digest field, which may name others
// beside it, or returns ErrNoDigest.
func ParseDigest(header string) (Digest, error) {
	for member := range strings.SplitSeq(header, ",") {
		member, _, _ = strings.Cut(member, ";") // parameters say nothing of the bytes
		value, ok := strings.CutPrefix(strings.TrimSpace(member), "sha-256=:")
		if !ok || !strings.HasSuffix(value, ":") {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(value, ":"))
		if err == nil && len(sum) == sha256.Size {
			return Digest(sum), nil
		}
	}
	return Digest{}, ErrNoDigest
}
