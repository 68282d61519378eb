package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ErrDamaged means that bytes are not a snapshot.
var ErrDamaged = errors.New("not a snapshot")

// Open reads a snapshot from its body, which it keeps. It returns an error that
// wraps ErrDamaged for anything that Seal would not have written, but for
// members that it does not know: a later version may add some.
func Open(body []byte) (*Snapshot, error) {
	r := &reader{body: body, dec: json.NewDecoder(bytes.NewReader(body))}
	s := &Snapshot{Body: body, Digest: DigestOf(body)}
	s.ETag = s.Digest.ETag()
	if !utf8.Valid(body) { // encoding/json would put U+FFFD in its place
		r.fail("not UTF-8")
	}
	r.object(func(key string) { r.member(s, key) })
	if r.err == nil {
		// More would not do: it takes a bracket too many for the end.
		if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
			r.fail("bytes after the end")
		}
	}
	if r.err == nil {
		r.err = s.check()
	}
	if r.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, r.err)
	}
	return s, nil
}

func (s *Snapshot) check() error {
	if _, err := ParseName(string(s.Namespace)); err != nil {
		return err
	}
	if err := s.Epoch.check(); err != nil {
		return err
	}
	if s.Revision < 1 {
		return errors.New("no revision")
	}
	for i, e := range s.Configs {
		if !s.holds(e.Revision) {
			return fmt.Errorf("%s is of revision %d, the snapshot of %d", quote(string(e.Name)), e.Revision, s.Revision)
		}
		if i > 0 && s.Configs[i-1].Name >= e.Name {
			return fmt.Errorf("configs out of order at %s", quote(string(e.Name)))
		}
		if s.Deleted(e.Name) {
			return fmt.Errorf("%s both stands and is deleted", quote(string(e.Name)))
		}
	}
	for i, t := range s.Tombstones {
		if !s.holds(t.Revision) {
			return fmt.Errorf("%s was deleted at %d, the snapshot is of %d", quote(string(t.Name)), t.Revision, s.Revision)
		}
		if i > 0 && s.Tombstones[i-1].Name >= t.Name {
			return fmt.Errorf("tombstones out of order at %s", quote(string(t.Name)))
		}
	}
	return nil
}

// holds reports whether what the snapshot has may be of that revision.
func (s *Snapshot) holds(revision Revision) bool { return revision >= 0 && revision <= s.Revision }

// check returns an error for what cannot be an epoch. It is a ULID, but need not
// be; it goes into a header, and into what is signed line by line.
func (e Epoch) check() error {
	foreign := func(c rune) bool { return c <= ' ' || c >= 0x7f }
	if e == "" || len(e) > 64 || strings.ContainsFunc(string(e), foreign) {
		return fmt.Errorf("epoch %s is none", quote(string(e)))
	}
	return nil
}
