package pull

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
)

// A Coding is a content coding (RFC 9110, section 8.4).
type Coding struct {
	Name   string
	Encode func(body []byte) []byte
	// Decode returns a reader of the decoded bytes, which must not buffer more
	// than it is asked for.
	Decode func(r io.Reader) (io.ReadCloser, error)
}

// Gzip is the coding that everybody has.
var Gzip = Coding{Name: "gzip", Encode: gzipEncode, Decode: gzipDecode}

func gzipEncode(body []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(body) // a buffer does not fail
	_ = w.Close()
	return out.Bytes()
}

func gzipDecode(r io.Reader) (io.ReadCloser, error) {
	decoded, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return decoded, nil
}

// negotiate returns the first of the codings that an Accept-Encoding allows with
// the highest weight, or nil for none: where the bytes as they are weigh more, too.
func negotiate(codings []Coding, header string) *Coding {
	var best *Coding
	weight := math.Nextafter(quality(header, "identity"), 0)
	for i := range codings {
		if q := quality(header, codings[i].Name); q > weight {
			best, weight = &codings[i], q
		}
	}
	return best
}

func quality(header, coding string) float64 {
	for member := range strings.SplitSeq(header, ",") {
		name, params, weighed := strings.Cut(member, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		if !weighed {
			return 1
		}
		value, ok := strings.CutPrefix(strings.TrimSpace(params), "q=")
		q, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil || q > 1 {
			return 0
		}
		return q
	}
	return 0
}

// minEncoded is the size below which a body is not worth encoding.
const minEncoded = 512

// An encodings holds what a resource's body looks like in each coding: made once,
// however many ask.
type encodings struct {
	mu     sync.Mutex
	bodies map[string][]byte
}

// of returns the body in that coding, or nil if that would not be smaller.
func (e *encodings) of(coding *Coding, body []byte) []byte {
	if coding == nil || len(body) < minEncoded {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	encoded, made := e.bodies[coding.Name]
	if !made {
		if encoded = coding.Encode(body); len(encoded) >= len(body) {
			encoded = nil
		}
		if e.bodies == nil {
			e.bodies = map[string][]byte{}
		}
		e.bodies[coding.Name] = encoded
	}
	return encoded
}
