package pull

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A Source is what a Handler serves from.
type Source interface {
	// Latest returns the newest snapshot of a namespace and a channel that is
	// closed once there may be a newer one. It fails with ErrNotFound or
	// ErrUnavailable, or errors that wrap them; the channel, where it is not nil,
	// tells when it is worth asking again.
	Latest(ctx context.Context, namespace config.Name) (*config.Snapshot, <-chan struct{}, error)
}

// A Handler serves what a Source has. The path values of its requests are named
// ns and name.
type Handler struct {
	Source Source
	// Draining ends every held request when it is closed; nil never does.
	Draining <-chan struct{}
	// Decorate, where it is set, adds fields to an answer of 200 or 304.
	Decorate func(h http.Header, r *http.Request, namespace config.Name)

	codings []Coding
	shelf   shelf
}

// NewHandler returns a Handler that offers these codings, best first.
func NewHandler(source Source, codings ...Coding) *Handler {
	return &Handler{Source: source, codings: codings}
}

// A resource is what one answer is about.
type resource struct {
	namespace config.Name
	config    config.Name // "" for the snapshot
	mediaType string
	etag      config.ETag
	digest    config.Digest
	body      []byte
	at        config.Position
	accepted  bool             // by an operator
	signature config.Signature // of the snapshot; a single config has none
	encodings *encodings
}

// ServeSnapshot answers GET /v1/namespaces/{ns}/snapshot. It returns the
// Source's error, or one that wraps config.ErrInvalidName.
func (h *Handler) ServeSnapshot(w http.ResponseWriter, r *http.Request) error {
	namespace, err := config.ParseName(r.PathValue("ns"))
	if err != nil {
		return err
	}
	return h.serve(w, r, namespace, "")
}

// ServeConfig answers GET /v1/namespaces/{ns}/configs/{name}. It returns the
// Source's error, or one that wraps config.ErrInvalidName or ErrNotFound.
func (h *Handler) ServeConfig(w http.ResponseWriter, r *http.Request) error {
	namespace, err := config.ParseName(r.PathValue("ns"))
	if err != nil {
		return err
	}
	name, err := config.ParseName(r.PathValue("name"))
	if err != nil {
		return err
	}
	return h.serve(w, r, namespace, name)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, namespace, name config.Name) error {
	ctx := r.Context()
	wait := Wait(r.Header)
	held := false
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		found, changed, err := h.find(ctx, namespace, name)
		same := err == nil && matches(r.Header, found.etag)
		if (err == nil && !same) || wait == 0 || (err != nil && changed == nil) {
			if held {
				w.Header().Set("Preference-Applied", "wait="+formatSeconds(Wait(r.Header)))
			}
			if err != nil {
				return err
			}
			h.write(w, r, found, same)
			return nil
		}
		held = true
		select {
		case <-changed:
		case <-timer.C:
			wait = 0
		case <-h.Draining:
			wait = 0
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// find returns what stands there now. Where nothing does, the channel tells when
// that may have changed.
func (h *Handler) find(ctx context.Context, namespace, name config.Name) (resource, <-chan struct{}, error) {
	snapshot, changed, err := h.Source.Latest(ctx, namespace)
	if err != nil {
		return resource{}, changed, err
	}
	found := resource{
		namespace: namespace, mediaType: "application/json", etag: snapshot.ETag,
		digest: snapshot.Digest, body: snapshot.Body, at: snapshot.Position, signature: snapshot.Signature, accepted: snapshot.Accepted,
	}
	if name != "" {
		entry, ok := snapshot.Config(name)
		if !ok {
			return resource{}, changed, fmt.Errorf("config %s/%s: %w", namespace, name, ErrNotFound)
		}
		found.config, found.mediaType, found.etag, found.body = name, entry.MediaType, entry.ETag, entry.Body
		found.signature = config.Signature{} // it is of bytes that are not these
	}
	return found, changed, nil
}

// matches reports whether the asker holds that ETag already.
func matches(h http.Header, etag config.ETag) bool {
	tags, any := config.HeldETags(h.Values("If-None-Match"))
	if any {
		return true
	}
	return slices.Contains(tags, etag)
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, found resource, same bool) {
	out := w.Header()
	out.Set(headerEpoch, string(found.at.Epoch))
	out.Set(headerRevision, strconv.FormatInt(int64(found.at.Revision), 10))
	out.Set("Cache-Control", "private, no-cache")
	out.Set("Vary", "Accept-Encoding")
	if h.Decorate != nil {
		h.Decorate(out, r, found.namespace)
	}
	if same {
		out.Set("ETag", heldTag(r.Header, found.etag))
		w.WriteHeader(http.StatusNotModified)
		return
	}
	found = h.shelf.keep(found)
	body, coding := found.body, ""
	if chosen := negotiate(h.codings, r.Header.Get("Accept-Encoding")); chosen != nil {
		if encoded := found.encodings.of(chosen, found.body); encoded != nil {
			body, coding = encoded, chosen.Name
			out.Set("Content-Encoding", coding)
		}
	}
	out.Set("ETag", found.etag.Quoted(coding))
	out.Set("Repr-Digest", found.digest.Header())
	if found.accepted {
		out.Set(headerAccepted, "true")
	}
	if found.signature.Signed() {
		out.Set(headerSignature, found.signature.Header())
	}
	out.Set("Content-Type", found.mediaType)
	out.Set("Content-Length", strconv.Itoa(len(body)))
	out.Set("X-Content-Type-Options", "nosniff")
	if found.config != "" {
		out.Set("Content-Security-Policy", "sandbox") // a document may be HTML, and is nobody's page
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // the client has gone if this fails
}

// heldTag is the tag as the asker wrote it, coding suffix included.
func heldTag(h http.Header, etag config.ETag) string {
	for _, header := range h.Values("If-None-Match") {
		for part := range strings.SplitSeq(header, ",") {
			if tag, ok := config.ParseETag(part); ok && tag == etag {
				return strings.TrimSpace(part)
			}
		}
	}
	return etag.Quoted("")
}
