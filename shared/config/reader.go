package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

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

// decode reads a string or a number. It takes no null, which encoding/json reads
// as nothing at all.
func decode[T any](r *reader, into *T) {
	if r.err != nil {
		return
	}
	var value *T
	switch err := r.dec.Decode(&value); {
	case err != nil:
		r.fail("at byte %d: %v", r.dec.InputOffset(), err)
	case value == nil:
		r.fail("a null at byte %d", r.dec.InputOffset())
	default:
		*into = *value
	}
}

// skip reads a value that nobody here knows.
func (r *reader) skip() {
	if r.err == nil {
		if err := r.dec.Decode(new(json.RawMessage)); err != nil {
			r.fail("at byte %d: %v", r.dec.InputOffset(), err)
		}
	}
}

func (r *reader) member(s *Snapshot, key string) {
	switch key {
	case "namespace":
		decode(r, &s.Namespace)
	case "epoch":
		decode(r, &s.Epoch)
	case "revision":
		decode(r, &s.Revision)
	case "configs":
		r.object(func(key string) { s.Configs = append(s.Configs, r.entry(key)) })
	case "tombstones":
		r.object(func(key string) { s.Tombstones = append(s.Tombstones, r.tombstone(key)) })
	default:
		r.skip()
	}
}

func (r *reader) tombstone(key string) Tombstone {
	t := Tombstone{Name: r.name(key)}
	r.object(func(key string) {
		if key != "revision" {
			r.skip()
			return
		}
		decode(r, &t.Revision)
	})
	return t
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
	forms, value := 0, false
	r.object(func(key string) {
		switch key {
		case "revision":
			decode(r, &e.Revision)
		case "mediaType":
			decode(r, &e.MediaType)
		case "value":
			forms, value = forms+1, true
			e.Body = r.raw()
		case "text":
			forms++
			var text string
			decode(r, &text)
			e.Body = []byte(text)
		case "base64":
			forms++
			e.Body = r.base64()
		default:
			r.skip()
		}
	})
	if forms != 1 || e.MediaType == "" {
		r.fail("config %s has no media type or not one document", quote(key))
	}
	if value != (e.Kind() == JSON) {
		r.fail("config %s: a value stands for JSON, and JSON alone", quote(key))
	}
	e.ETag = e.Document.ETag()
	return e
}

func (r *reader) base64() []byte {
	var text string
	decode(r, &text)
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
	r.skip()
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
