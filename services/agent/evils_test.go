package agent_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// An evil answers a pull. good is what would be true, and older than nothing.
type evil func(w http.ResponseWriter, r *http.Request, good *config.Snapshot)

// claims answers with a body that claims to be one thing, in some coding.
func claims(w http.ResponseWriter, s *config.Snapshot, body []byte, fields ...string) {
	w.Header().Set("ETag", `"`+strconv.FormatInt(time.Now().UnixNano(), 36)+`"`)
	w.Header().Set("Repr-Digest", s.Digest.Header())
	for i := 0; i < len(fields); i += 2 {
		w.Header().Add(fields[i], fields[i+1])
	}
	_, _ = w.Write(body)
}

func sealed(ns config.Name, epoch string, revision config.Revision) *config.Snapshot {
	return sealedAs(ns, epoch, revision, `9`)
}

func sealedAs(ns config.Name, epoch string, revision config.Revision, document string) *config.Snapshot {
	return config.Seal(ns, config.Position{Epoch: config.Epoch(epoch), Revision: revision}, []config.Entry{{
		Name: "limits", Revision: revision, Document: config.Document{MediaType: "application/json", Body: []byte(document)},
	}}, nil)
}

func status(code int, fields ...string) evil {
	return func(w http.ResponseWriter, _ *http.Request, _ *config.Snapshot) {
		for i := 0; i < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(code)
	}
}

func body(b []byte, fields ...string) evil {
	return func(w http.ResponseWriter, _ *http.Request, _ *config.Snapshot) {
		claims(w, &config.Snapshot{Digest: config.DigestOf(b)}, b, fields...)
	}
}

// repeat writes the same bytes until the other side has gone.
func repeat(part []byte, pause time.Duration, fields ...string) evil {
	return func(w http.ResponseWriter, r *http.Request, good *config.Snapshot) {
		claims(w, good, part, fields...)
		for r.Context().Err() == nil {
			if _, err := w.Write(part); err != nil {
				return
			}
			if pause > 0 {
				_ = http.NewResponseController(w).Flush()
				time.Sleep(pause)
			}
		}
	}
}

func gzipBomb() []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.CopyN(w, zeros{}, 200<<20)
	_ = w.Close()
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// zstdBomb is a frame of blocks that each repeat one byte 128 KiB, with a window
// descriptor as given: 0x68 is 8 MiB, 0xa0 is a GiB.
func zstdBomb(window byte) []byte {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, window}
	for range 4000 { // 500 MiB
		frame = append(frame, 0x02, 0x00, 0x10, ' ')
	}
	return frame
}

var evils = map[string]evil{
	"500":              status(500),
	"503 for a second": status(503, "Retry-After", "1"),
	"hang":             func(_ http.ResponseWriter, r *http.Request, _ *config.Snapshot) { <-r.Context().Done() },
	"hang in the body": func(w http.ResponseWriter, r *http.Request, good *config.Snapshot) {
		claims(w, good, good.Body[:9])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	},
	"drip": repeat([]byte(" "), 100*time.Millisecond),
	"cut": func(w http.ResponseWriter, _ *http.Request, good *config.Snapshot) {
		claims(w, good, good.Body[:9], "Content-Length", strconv.Itoa(len(good.Body)))
	},
	"corrupt": func(w http.ResponseWriter, _ *http.Request, good *config.Snapshot) {
		claims(w, good, bytes.Replace(good.Body, []byte("limits"), []byte("limitz"), 1))
	},
	"no digest": func(w http.ResponseWriter, _ *http.Request, _ *config.Snapshot) {
		_, _ = w.Write(sealed("payments", "01A", 50).Body)
	},
	"two signatures":  body(sealed("payments", "01A", 50).Body, "Herald-Signature", "a", "Herald-Signature", "b"),
	"older revision":  body(sealed("payments", "01A", 1).Body),
	"older epoch":     body(sealed("payments", "019", 99).Body),
	"wrong namespace": body(sealed("search", "01A", 50).Body),
	"wrong coding":    body(sealed("payments", "01A", 50).Body, "Content-Encoding", "br"),
	"empty":           body(nil),
	"{}":              body([]byte("{}")),
	"deep":            body(bytes.Repeat([]byte(`{"a":`), 1<<20)),
	"gzip bomb":       body(gzipBomb(), "Content-Encoding", "gzip"),
	"zstd bomb":       body(zstdBomb(0x68), "Content-Encoding", "zstd"),
	"zstd window":     body(zstdBomb(0xa0), "Content-Encoding", "zstd"),
	"endless":         repeat(make([]byte, 64<<10), 0),
	"another 304":     status(304, "ETag", `"other"`),
	"redirect":        status(302, "Location", snapshotPath),
	"redirect away":   status(307, "Location", "file:///etc/passwd"),
	"redirect to another host": func(w http.ResponseWriter, r *http.Request, good *config.Snapshot) {
		_, port, _ := strings.Cut(r.Host, ":")
		status(307, "Location", "http://localhost:"+port+elsewhere)(w, r, good)
	},
	"huge headers":            status(200, "Huge", strings.Repeat("a", 1<<20)),
	"length of more":          raw(sealed("payments", "01A", 50), +1),
	"length of less":          raw(sealed("payments", "01A", 50), -1),
	"429 for no time":         status(429, "Retry-After", "0"),
	"503 for less than none":  status(503, "Retry-After", "-31536000"),
	"503 for a while":         status(503, "Retry-After", "a while"),
	"503 beyond all numbers":  status(503, "Retry-After", "1e999"),
	"503 until years ago":     status(503, "Retry-After", "Fri, 01 Jan 1999 00:00:00 GMT"),
	"500 and never poll more": status(500, "Herald-Poll-Interval", "31536000"),
}

// raw answers with a snapshot whose length is said to be longer or shorter.
func raw(s *config.Snapshot, more int) evil {
	return func(w http.ResponseWriter, _ *http.Request, _ *config.Snapshot) {
		conn, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nRepr-Digest: %s\r\nETag: %s\r\n\r\n%s",
			len(s.Body)+more, s.Digest.Header(), s.ETag.Quoted(""), s.Body)
		_ = out.Flush()
	}
}

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// signed answers with what is all right but for its signature, and with a list of
// keys that vouches for it.
func signed(sign func(s *config.Snapshot) string) evil {
	return func(w http.ResponseWriter, r *http.Request, good *config.Snapshot) {
		if r.URL.Path == keysPath {
			_, _ = w.Write(config.Keys{config.NewKey(keyOf(2).Public().(ed25519.PublicKey), time.Now())}.Encode())
			return
		}
		claims(w, good, good.Body, "Herald-Signature", sign(good))
	}
}

// forgeries are tried on an agent that has pinned a key.
var forgeries = map[string]evil{
	"not signed":           func(w http.ResponseWriter, _ *http.Request, good *config.Snapshot) { claims(w, good, good.Body) },
	"signed by a stranger": signed(func(s *config.Snapshot) string { return config.Sign(keyOf(2), s).Header() }),
	"signed by a stranger in the name of the key": signed(func(s *config.Snapshot) string {
		forged := config.Sign(keyOf(2), s)
		forged.KeyID = config.Sign(keyOf(1), s).KeyID
		return forged.Header()
	}),
	"the signature of another one": signed(func(*config.Snapshot) string {
		return config.Sign(keyOf(1), sealed("payments", "01A", 49)).Header()
	}),
	"garbage": signed(func(*config.Snapshot) string { return `keyid="` + strings.Repeat("a", 9000) + `", sig=:AA==:` }),
}
