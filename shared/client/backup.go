package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// BackupPath is where the controller answers with a copy of its database.
const BackupPath = "/v1/backup"

// silence is how long a download may bring nothing: a copy is made and proved before
// the first byte of it comes.
const silence = 10 * time.Minute

// ErrIncomplete means that a download is not what the server sent.
var ErrIncomplete = errors.New("what came is not what the controller sent")

// Backup writes a copy of the controller's database into out. The error is as that of
// Do, wraps ErrIncomplete, or is that of out. Only after nil may the copy be used.
func (c *Client) Backup(ctx context.Context, out io.Writer) (size int64, digest config.Digest, err error) {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := time.AfterFunc(silence, cancel)
	defer quiet.Stop()
	r := Request{Path: BackupPath}
	request, err := c.request(limited, r)
	if err != nil {
		return 0, digest, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, digest, c.unreachable(ctx, r, silence, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
		return 0, digest, c.problem(response, body)
	}
	hash := sha256.New()
	from := &heard{response.Body, func() { quiet.Reset(silence) }, nil}
	size, err = io.Copy(io.MultiWriter(out, hash), from)
	if from.err != nil {
		return size, digest, c.unreachable(ctx, r, silence, from.err)
	}
	if err != nil {
		return size, digest, err
	}
	digest = config.Digest(hash.Sum(nil))
	if sent, err := config.ParseDigest(response.Header.Get("Repr-Digest")); err != nil || sent != digest {
		return size, digest, fmt.Errorf("%w: its SHA-256 is another one", ErrIncomplete)
	}
	return size, digest, nil
}

// A heard reader says when something came, and keeps apart why nothing more does.
type heard struct {
	from io.Reader
	came func()
	err  error
}

func (h *heard) Read(into []byte) (int, error) {
	n, err := h.from.Read(into)
	h.came()
	if err != nil && err != io.EOF {
		h.err = err
	}
	return n, err
}
