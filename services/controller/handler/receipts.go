package handler

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/httpapi"
)

// maxKey bounds an Idempotency-Key.
const maxKey = 255

// once answers a request with an Idempotency-Key the first time only, and says the
// same again whenever it is repeated. What changes nothing may be done twice.
func (h *Handler) once(answer httpapi.HandlerFunc) httpapi.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, keyed := r.Header["Idempotency-Key"]; !keyed || !changes(r) {
			return answer(w, r)
		}
		asked, err := requestOf(w, r)
		if err != nil {
			return err
		}
		kept, end, err := h.Receipts.Begin(r.Context(), asked.Request, asked.Sum)
		if err != nil {
			return err
		}
		defer end()
		if kept != nil {
			return replay(w, kept.Answer)
		}
		return h.first(w, r, asked, answer)
	}
}

// requestOf reads the whole request: it is told from another by all that it says.
func requestOf(w http.ResponseWriter, r *http.Request) (*pending, error) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxKey || strings.ContainsFunc(keys[0], func(c rune) bool { return c < ' ' || c > '~' }) {
		return nil, httpapi.Invalid("an Idempotency-Key is 1 to 255 characters of ASCII")
	}
	if r.Pattern == "POST /v1/tokens" {
		return nil, httpapi.Invalid("a token is not kept, so the answer with it could not be repeated: ask without an Idempotency-Key, and revoke a token that got lost")
	}
	body, err := httpapi.ReadBody(w, r, maxCommit)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	actor := actorOf(r)
	says := []string{r.URL.RawQuery}
	for _, field := range []string{"Content-Type", "If-Match", "If-None-Match", "Herald-Message"} {
		says = append(says, strings.Join(r.Header.Values(field), ", "))
	}
	p := &pending{}
	p.Request = domain.Request{Actor: cmp.Or(actor.TokenID, actor.Name), Method: r.Method, Path: r.URL.Path, Key: keys[0]}
	p.Sum = domain.SumOf(append(says, string(body))...)
	return p, nil
}

// A pending request has no receipt yet.
type pending struct {
	domain.Receipt
	committed bool // the receipt is kept with a commit
}

type pendingKey struct{}

// first answers a request, and keeps how. Where it makes a commit the receipt is on
// disk with that: none is there without the other, whatever happens in between.
func (h *Handler) first(w http.ResponseWriter, r *http.Request, asked *pending, answer httpapi.HandlerFunc) error {
	recorded := newReply()
	err := answer(recorded, r.WithContext(context.WithValue(r.Context(), pendingKey{}, asked)))
	if err != nil {
		problem := httpapi.ProblemOf(statuses, err)
		if r.Context().Err() == nil && final(problem) {
			httpapi.WriteProblem(recorded, problem)
			h.keep(r, asked, recorded)
		}
		return err
	}
	if !asked.committed {
		h.keep(r, asked, recorded)
	}
	recorded.write(w)
	return nil
}

// final reports whether a refusal is the answer for good. The others may end by
// themselves, and are to be tried again.
func final(p *httpapi.Problem) bool {
	return p.Code != "frozen" && slices.Contains([]int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
	}, p.Status)
}

// keep keeps how a request was answered that made no commit. It is answered even if
// that fails: it was done, or refused, and who asked is there to hear it.
func (h *Handler) keep(r *http.Request, asked *pending, answer *reply) {
	receipt := asked.Receipt
	receipt.Answer, receipt.At = answer.encode(), time.Now()
	if err := h.Receipts.Keep(r.Context(), receipt); err != nil {
		h.Logger.Warn("cannot keep how a request was answered", "method", r.Method, "path", r.URL.Path, "error", err)
	}
}

// receiptOf returns what makes the receipt of a commit, or nil for a request
// without a key.
func receiptOf(r *http.Request, of func(domain.Commit) outcome) func(domain.Commit) *domain.Receipt {
	asked, ok := r.Context().Value(pendingKey{}).(*pending)
	if !ok {
		return nil
	}
	return func(commit domain.Commit) *domain.Receipt {
		return asked.receipt(commit.At, func(w http.ResponseWriter) error { return writeCommit(w, commit, of(commit)) })
	}
}

// receipt is that of a request which is about to be answered so, to be kept with
// what it does.
func (p *pending) receipt(at time.Time, write func(http.ResponseWriter) error) *domain.Receipt {
	answer := newReply()
	if write(answer) != nil {
		return nil // it is kept once it is answered, if it can be
	}
	p.committed = true
	receipt := p.Receipt
	receipt.Answer, receipt.At = answer.encode(), at
	return &receipt
}

// A reply is an answer that is kept before it is sent.
type reply struct {
	Status int         `json:"status"`
	Fields http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

func newReply() *reply { return &reply{Status: http.StatusOK, Fields: http.Header{}} }

// Header is http.ResponseWriter's, as the two below.
func (a *reply) Header() http.Header { return a.Fields }

func (a *reply) WriteHeader(status int) { a.Status = status }

func (a *reply) Write(b []byte) (int, error) {
	a.Body = append(a.Body, b...)
	return len(b), nil
}

func (a *reply) encode() []byte {
	text, err := json.Marshal(a)
	if err != nil {
		panic("handler: " + err.Error()) // numbers, strings, bytes: they always encode
	}
	return text
}

func (a *reply) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.Fields)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the client has gone if this fails
}

// replay answers as the first time.
func replay(w http.ResponseWriter, kept []byte) error {
	answer := newReply()
	if err := json.Unmarshal(kept, answer); err != nil {
		return err
	}
	answer.Fields.Set("Idempotency-Replayed", "true")
	answer.write(w)
	return nil
}
