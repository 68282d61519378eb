package handler

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/httpapi"
)

// listRevisions answers GET /v1/namespaces/{ns}/revisions[?name=limits], newest first.
func (h *Handler) listRevisions(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	p, before, err := pageBefore(r, revisionOf)
	if err != nil {
		return err
	}
	var only config.Name
	if text := r.URL.Query().Get("name"); text != "" {
		if only, err = config.ParseName(text); err != nil {
			return err
		}
		p.with("name", text)
	}
	if _, err := h.Configs.Position(r.Context(), namespace); err != nil {
		return err
	}
	found, err := h.Configs.Commits(r.Context(), namespace, only, before, p.limit+1)
	if err != nil {
		return err
	}
	lines, next := cut(p, found, func(c domain.Commit) string { return strconv.FormatInt(int64(c.Revision), 10) })
	return httpapi.WriteJSON(w, http.StatusOK, struct {
		Revisions []domain.Commit `json:"revisions"`
		Next      string          `json:"next,omitempty"`
	}{lines, next})
}

// getRevision answers GET /v1/namespaces/{ns}/revisions/{revision}: one commit,
// its documents as a snapshot would have them. With ?compacted=true it is also
// answered where documents were dropped, with their digests in their place.
func (h *Handler) getRevision(w http.ResponseWriter, r *http.Request) error {
	namespace, err := namespaceOf(r)
	if err != nil {
		return err
	}
	revision, err := revisionOf(r.PathValue("revision"))
	if err != nil {
		return err
	}
	partly, err := switchOf(r, "compacted")
	if err != nil {
		return err
	}
	commit, err := h.Configs.Revision(r.Context(), namespace, revision)
	if err == nil && !partly {
		err = commit.Whole()
	}
	if err != nil {
		return err
	}
	setPosition(w.Header(), commit.Position)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(encodeCommit(commit)) // the client has gone if this fails
	return nil
}

// encodeCommit writes a commit by hand, since encoding/json would compact the
// JSON documents.
func encodeCommit(c domain.Commit) []byte {
	b := appendMember(nil, `{"revision":`, c.Revision)
	b = appendMember(b, `,"at":`, c.At)
	b = appendMember(b, `,"author":`, c.Author)
	b = appendMember(b, `,"message":`, c.Message)
	b = appendMember(b, `,"hash":`, c.Hash)
	b = appendMember(b, `,"previous":`, c.Previous)
	if c.Approval != nil {
		b = appendMember(b, `,"proposal":`, c.Approval.Proposal)
		b = appendMember(b, `,"approved_by":`, c.Approval.By.Name)
	}
	return append(appendChanges(b, c.All(), true), "}\n"...)
}

// appendChanges writes changes as a member of an object, with their documents or
// without.
func appendChanges(b []byte, changes []domain.Change, documents bool) []byte {
	b = append(b, `,"changes":[`...)
	for i, change := range changes {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMember(b, `{"op":`, change.Op)
		b = appendMember(b, `,"name":`, change.Name)
		if change.Puts() {
			b = appendMember(b, `,"etag":`, change.ETag)
		}
		if change.Puts() && documents {
			b = appendMember(b, `,"mediaType":`, change.MediaType)
			if b = append(b, ','); change.Dropped == nil {
				b = change.AppendMember(b)
			} else {
				b = appendMember(b, `"compacted":true,"sha256":`, change.Digest().Hex())
			}
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendMember(b []byte, key string, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic("handler: " + err.Error()) // a string, a number, a time: they always encode
	}
	return append(append(b, key...), text...)
}

// getConfigAt answers GET /v1/namespaces/{ns}/configs/{name}?revision=N: the
// document as it stood then. It never changes, so nothing is held.
func (h *Handler) getConfigAt(w http.ResponseWriter, r *http.Request, at string) error {
	namespace, name, err := nameOf(r)
	if err != nil {
		return err
	}
	revision, err := revisionOf(at)
	if err != nil {
		return err
	}
	entry, err := h.Configs.Document(r.Context(), namespace, name, revision)
	if err != nil {
		return err
	}
	writeDocument(w, r, config.Position{Epoch: h.Epoch, Revision: revision}, entry)
	return nil
}

// writeDocument answers with a document alone, as it was written.
func writeDocument(w http.ResponseWriter, r *http.Request, at config.Position, entry config.Entry) {
	out := w.Header()
	setPosition(out, at)
	out.Set("ETag", entry.ETag.Quoted(""))
	out.Set("Cache-Control", "private, no-cache")
	if tags, any := config.HeldETags(r.Header.Values("If-None-Match")); any || slices.Contains(tags, entry.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	out.Set("Repr-Digest", config.DigestOf(entry.Body).Header())
	out.Set("Content-Type", entry.MediaType)
	out.Set("Content-Length", strconv.Itoa(len(entry.Body)))
	out.Set("X-Content-Type-Options", "nosniff")
	out.Set("Content-Security-Policy", "sandbox") // a document may be HTML, and is nobody's page
	_, _ = w.Write(entry.Body)                    // the client has gone if this fails
}
