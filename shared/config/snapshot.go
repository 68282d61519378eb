package config

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
)

// An Entry is one config as a snapshot has it.
type Entry struct {
	Name     Name
	Revision Revision // the one that last changed it
	ETag     ETag
	Document
}

// A Tombstone is an explicit deletion. What is absent without one was not deleted.
type Tombstone struct {
	Name     Name
	Revision Revision // the one that deleted it
}

// A Snapshot is all configs of a namespace at a revision: what it says, and the
// one body that says it. Both are made together and never changed, so that any
// number of readers may share one.
type Snapshot struct {
	Namespace Name
	Position
	Configs    []Entry     // in name order
	Tombstones []Tombstone // in name order

	Body   []byte
	Digest Digest
	ETag   ETag
	// Accepted says that an operator let it through in spite of what it lacks. It is
	// set, like Signature, before anybody shares the snapshot.
	Accepted bool
	// Signature is whose word there is for it, set once before anybody shares the
	// snapshot; Seal and Open leave it empty, and nobody has verified it yet.
	Signature Signature
}

// Seal makes the snapshot of these configs and tombstones. It sorts both. The
// documents must have passed their checks: one of JSON goes into the body as it
// is (CheckJSON), and every media type is in its normal form.
func Seal(namespace Name, at Position, configs []Entry, tombstones []Tombstone) *Snapshot {
	slices.SortFunc(configs, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(tombstones, func(a, b Tombstone) int { return cmp.Compare(a.Name, b.Name) })
	for i := range configs {
		if configs[i].ETag == "" {
			configs[i].ETag = configs[i].Document.ETag()
		}
	}
	s := &Snapshot{Namespace: namespace, Position: at, Configs: configs, Tombstones: tombstones}
	s.Body = s.encode()
	s.Digest = DigestOf(s.Body)
	s.ETag = s.Digest.ETag()
	return s
}

// Config returns the entry of that name.
func (s *Snapshot) Config(name Name) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(s.Configs, name, func(e Entry, n Name) int { return cmp.Compare(e.Name, n) })
	if !ok {
		return Entry{}, false
	}
	return s.Configs[i], true
}

// Deleted reports whether the snapshot has a tombstone of that name.
func (s *Snapshot) Deleted(name Name) bool {
	_, ok := slices.BinarySearchFunc(s.Tombstones, name, func(t Tombstone, n Name) int { return cmp.Compare(t.Name, n) })
	return ok
}

// encode writes the body by hand, since encoding/json would compact the JSON
// documents, and they must stay byte for byte as they were written.
func (s *Snapshot) encode() []byte {
	size := 256
	for _, e := range s.Configs {
		size += len(e.Body) + len(e.Body)/3 + 160
	}
	b := make([]byte, 0, size)
	b = appendString(append(b, `{"namespace":`...), string(s.Namespace))
	b = appendString(append(b, `,"epoch":`...), string(s.Epoch))
	b = strconv.AppendInt(append(b, `,"revision":`...), int64(s.Revision), 10)
	b = append(b, `,"configs":{`...)
	for i, e := range s.Configs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, string(e.Name)), ':')
		b = e.append(b)
	}
	b = append(b, `},"tombstones":{`...)
	for i, t := range s.Tombstones {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, string(t.Name)), `:{"revision":`...)
		b = append(strconv.AppendInt(b, int64(t.Revision), 10), '}')
	}
	return append(b, `}}`...)
}

func (e Entry) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"revision":`...), int64(e.Revision), 10)
	b = appendString(append(b, `,"mediaType":`...), e.MediaType)
	b = append(b, ',')
	return append(e.Document.AppendMember(b), '}')
}

// AppendMember appends the document as a member of a JSON object: value, text
// or base64 with what belongs to it.
func (d Document) AppendMember(b []byte) []byte {
	form := d.form()
	b = append(appendString(b, form), ':')
	switch form {
	case "value":
		return append(b, d.Body...)
	case "text":
		return appendString(b, string(d.Body))
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, d.Body)
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string with no more escapes than JSON asks
// for. s must be valid UTF-8.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// escapedLength is the length of appendString's result.
func escapedLength(body []byte) int {
	n := 2 + len(body)
	for _, c := range body {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < ' ':
			n += 5
		}
	}
	return n
}
