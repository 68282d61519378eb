package handler

import (
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Bounds of how long a backup may take: to be made, and for each piece to be taken.
const (
	copyTime  = 30 * time.Minute
	pieceTime = time.Minute
	piece     = 1 << 20
)

// getBackup answers GET /v1/backup with a copy of the whole database, which has
// been proved. The audit tells of it first, so the copy has that entry too.
func (h *Handler) getBackup(w http.ResponseWriter, r *http.Request) error {
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Now().Add(copyTime)) // a recorder of a test has none
	entry := domain.Entry{At: time.Now(), Actor: actorOf(r), Action: domain.ActionBackup, Outcome: domain.OutcomeDone}
	if err := h.Audit.Told(r.Context(), entry); err != nil {
		return err
	}
	return h.Backup(r.Context(), func(file *os.File) error {
		hash := sha256.New()
		size, err := io.Copy(hash, file)
		if err == nil {
			_, err = file.Seek(0, io.SeekStart)
		}
		if err != nil {
			return err
		}
		header := w.Header()
		header.Set("Content-Type", "application/vnd.sqlite3")
		header.Set("Content-Length", strconv.FormatInt(size, 10))
		header.Set("Repr-Digest", config.Digest(hash.Sum(nil)).Header())
		header.Set("Cache-Control", "no-store")
		for sent := int64(0); sent < size && err == nil; sent += piece {
			_ = out.SetWriteDeadline(time.Now().Add(pieceTime))
			_, err = io.CopyN(w, file, min(piece, size-sent))
		}
		return nil // with less than was promised the client knows
	})
}
