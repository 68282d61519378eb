package lastgood

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// The formats of a file: since the second one its first line has the snapshot's
// signature, where there is one.
const (
	format  = "herald-snapshot-2"
	format1 = "herald-snapshot-1"
)

// header is the first line of a file. The body follows it. It vouches for itself
// too: a wrong ETag would have upstream answer that nothing is new.
type header struct {
	Format    string          `json:"format"`
	Namespace config.Name     `json:"namespace"`
	ETag      config.ETag     `json:"etag"`
	Epoch     config.Epoch    `json:"epoch"`
	Revision  config.Revision `json:"revision"`
	SHA256    string          `json:"sha256"`
	Length    int             `json:"length"`
	Confirmed time.Time       `json:"confirmed"`
	Accepted  bool            `json:"accepted,omitempty"`  // by an operator
	Signature string          `json:"signature,omitempty"` // as in Herald-Signature
	Check     string          `json:"check"`               // SHA-256 of this line with an empty check
}

// line returns the header as it stands in a file, its check included.
func (h header) line() ([]byte, error) {
	h.Check = ""
	open, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	h.Check = config.DigestOf(open).Hex()
	return json.Marshal(h)
}

// known reports whether the file is of a format that can be read.
func (h header) known() bool {
	return h.Format == format || (h.Format == format1 && h.Signature == "")
}

// Encode returns a generation's file: a line of JSON and the body.
func Encode(s *config.Snapshot, confirmed time.Time) []byte {
	h := header{
		Format: format, Namespace: s.Namespace, ETag: s.ETag, Epoch: s.Epoch, Revision: s.Revision,
		SHA256: s.Digest.Hex(), Length: len(s.Body), Confirmed: confirmed.UTC(), Accepted: s.Accepted,
	}
	if s.Signature.Signed() {
		h.Signature = s.Signature.Header()
	}
	line, err := h.line()
	if err != nil {
		panic("lastgood: " + err.Error()) // our own type always encodes
	}
	return bytes.Join([][]byte{line, s.Body}, []byte{'\n'})
}

// Decode reads a generation's file and verifies all that it says of its body, but
// for the signature, which Folder.Require is for. It returns an error that wraps
// config.ErrDamaged where any of it is not so.
func Decode(content []byte) (*config.Snapshot, time.Time, error) {
	line, body, found := bytes.Cut(content, []byte{'\n'})
	var h header
	if err := json.Unmarshal(line, &h); err != nil || !found || !h.known() {
		return nil, time.Time{}, fmt.Errorf("%w: its first line is not that of %s", config.ErrDamaged, format)
	}
	if written, err := h.line(); err != nil || !bytes.Equal(line, written) {
		return nil, time.Time{}, fmt.Errorf("%w: its first line is not as it was written", config.ErrDamaged)
	}
	if len(body) != h.Length || config.DigestOf(body).Hex() != h.SHA256 {
		return nil, time.Time{}, fmt.Errorf("%w: length or digest differ", config.ErrDamaged)
	}
	snapshot, err := config.Open(body)
	if err != nil {
		return nil, time.Time{}, err
	}
	if snapshot.Namespace != h.Namespace || snapshot.Epoch != h.Epoch || snapshot.Revision != h.Revision || h.ETag == "" {
		return nil, time.Time{}, fmt.Errorf("%w: its first line speaks of another one", config.ErrDamaged)
	}
	snapshot.ETag, snapshot.Accepted = h.ETag, h.Accepted
	if h.Signature != "" {
		if snapshot.Signature, err = config.ParseSignature(h.Signature); err != nil {
			return nil, time.Time{}, fmt.Errorf("%w: %w", config.ErrDamaged, err)
		}
	}
	return snapshot, h.Confirmed, nil
}
