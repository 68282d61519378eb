package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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
	r.object(func(key string) { r.member(s, key) })
	if r.err == nil && r.dec.More() {
		r.fail("bytes after the end")
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
	if s.Epoch == "" || s.Revision < 1 {
		return errors.New("no epoch or revision")
	}
	for i, e := range s.Configs {
		if i > 0 && s.Configs[i-1].Name >= e.Name {
			return fmt.Errorf("configs out of order at %s", quote(string(e.Name)))
		}
		if s.Deleted(e.Name) {
			return fmt.Errorf("%s both stands and is deleted", quote(string(e.Name)))
		}
	}
	for i, t := range s.Tombstones {
		if i > 0 && s.Tombstones[i-1].Name >= t.Name {
			return fmt.Errorf("tombstones out of order at %s", quote(string(t.Name)))
		}
	}
	return nil
}

// A reader walks a body token by token and remembers the first error.
type reader struct {
	body []byte
	dec  *json.Decoder
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// object calls member for each key of the object that comes next; member reads
// the value.
func (r *reader) object(member func(key string)) {
	if r.err != nil {
		return
	}
	if token, err := r.dec.Token(); err != nil || token != json.Delim('{') {
		r.fail("an object is missing at byte %d", r.dec.InputOffset())
		return
	}
	seen := map[string]bool{}
	for r.err == nil && r.dec.More() {
		token, err := r.dec.Token()
		key, ok := token.(string)
		if err != nil || !ok || seen[key] {
			r.fail("a bad or doubled key at byte %d", r.dec.InputOffset())
			return
		}
		seen[key] = true
		member(key)
	}
	if _, err := r.dec.Token(); err != nil {
		r.fail("cut off at byte %d", r.dec.InputOffset())
	}
}

func (r *reader) decode(into any) {
	if r.err == nil {
		if err := r.dec.Decode(into); err != nil {
			r.fail("at byte %d: %v", r.dec.InputOffset(), err)
		}
	}
}

func (r *reader) member(s *Snapshot, key string) {
	switch key {
	case "namespace":
		r.decode(&s.Namespace)
	case "epoch":
		r.decode(&s.Epoch)
	case "revision":
		r.decode(&s.Revision)
	case "configs":
		r.object(func(key string) { s.Configs = append(s.Configs, r.entry(key)) })
	case "tombstones":
		r.object(func(key string) {
			var tombstone struct {
				Revision Revision `json:"revision"`
			}
			r.decode(&tombstone)
			s.Tombstones = append(s.Tombstones, Tombstone{Name: r.name(key), Revision: tombstone.Revision})
		})
	default:
		r.decode(new(json.RawMessage))
	}
}

func (r *reader) name(s string) Name {
	name, err := ParseName(s)
	if err != nil {
		r.fail("%v", err)
	}
	return name
}

func (r *reader) entry(key string) Entry {
	e := Entry{Name: r.name(key)}
	forms := 0
	r.object(func(key string) {
		switch key {
		case "revision":
			r.decode(&e.Revision)
		case "mediaType":
			r.decode(&e.MediaType)
		case "value":
			forms++
			e.Body = r.raw()
		case "text":
			forms++
			var text string
			r.decode(&text)
			e.Body = []byte(text)
		case "base64":
			forms++
			e.Body = r.base64()
		default:
			r.decode(new(json.RawMessage))
		}
	})
	if forms != 1 || e.MediaType == "" {
		r.fail("config %s has no media type or not one document", quote(key))
	}
	e.ETag = e.Document.ETag()
	return e
}

func (r *reader) base64() []byte {
	var text string
	r.decode(&text)
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		r.fail("base64: %v", err)
	}
	return body
}

// raw returns a JSON value as it stands, with the white space around it: all
// that lies between the colon and the next comma or brace.
func (r *reader) raw() []byte {
	from := int(r.dec.InputOffset())
	r.decode(new(json.RawMessage))
	to := int(r.dec.InputOffset())
	if r.err != nil {
		return nil
	}
	colon := bytes.IndexByte(r.body[from:to], ':')
	end := bytes.IndexAny(r.body[to:], ",}")
	if colon < 0 || end < 0 {
		r.fail("cut off at byte %d", to)
		return nil
	}
	return r.body[from+colon+1 : to+end : to+end]
}
