package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/heraldconf/herald/shared/config"
)

// A HandlerFunc answers a request, or returns the error that is the answer.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Handle makes an http.Handler of a HandlerFunc: an error is looked up in the
// table and answered as a problem; one that is not there is a 500 and is logged.
func Handle(statuses []Status, h HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil || (r.Context().Err() != nil && errors.Is(err, context.Canceled)) {
			return
		}
		problem, known := problemOf(statuses, err)
		if !known {
			slog.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		if begun(w) {
			panic(http.ErrAbortHandler)
		}
		WriteProblem(w, problem)
	})
}

// WriteJSON answers with a value as JSON.
func WriteJSON(w http.ResponseWriter, status int, value any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client has gone if this fails
	return nil
}

// maxDrained bounds how much of a body that is too large is read and thrown away.
const maxDrained = 64 << 20

// ReadBody reads a body of at most limit bytes. The rest of a larger one is read
// too, within bounds: a client that is cut off while it sends often shows a broken
// connection instead of the answer.
func ReadBody(_ http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, Invalid("the body broke off: " + err.Error())
	}
	if int64(len(body)) > limit {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
		return nil, &http.MaxBytesError{Limit: limit}
	}
	return body, nil
}

// ReadJSON reads a JSON object into a value. Unknown members and members that
// stand twice are refused: a typing error should not pass as a default.
func ReadJSON(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	body, err := ReadBody(w, r, limit)
	if err != nil {
		return err
	}
	return readJSON(body, into)
}

// ReadOptionalJSON is ReadJSON where there may be no body, which says nothing.
func ReadOptionalJSON(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	body, err := ReadBody(w, r, limit)
	if err != nil || len(body) == 0 {
		return err
	}
	return readJSON(body, into)
}

func readJSON(body []byte, into any) error {
	if err := config.CheckJSON(body); err != nil {
		problem := Invalid("the body is not the JSON that is asked for: " + err.Error())
		if faulty, ok := errors.AsType[*config.FaultyDocument](err); ok {
			problem.Errors = faulty.Faults
		}
		return problem
	}
	return decodeStrictly(body, into)
}

// strangers keeps pages of other sites from having a browser write in the place of
// its user: on loopback a service may have no tokens that would.
var strangers = http.NewCrossOriginProtection()

// Router answers what no route of the mux matches with a problem, 404 or 405,
// keeps a panicking handler from taking its connection down unanswered, and a page
// of another site from writing.
func Router(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		w := &tracked{ResponseWriter: answer}
		defer recovered(w, r)
		if err := strangers.Check(r); err != nil {
			WriteProblem(w, NewProblem(http.StatusForbidden, "forbidden", "a page of another site asks, and may only read"))
			return
		}
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &headerProbe{header: http.Header{}}
		handler.ServeHTTP(probe, r)
		if allow := probe.header.Get("Allow"); probe.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", allow)
			WriteProblem(w, NewProblem(probe.status, "method_not_allowed", r.Method+" is not for this path; it takes "+allow))
			return
		}
		WriteProblem(w, NewProblem(http.StatusNotFound, "not_found", "there is nothing at this path"))
	})
}

func recovered(w http.ResponseWriter, r *http.Request) {
	reason := recover()
	if reason == nil {
		return
	}
	if err, ok := reason.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(reason)
	}
	slog.ErrorContext(r.Context(), "handler panicked", "method", r.Method, "path", r.URL.Path,
		"panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
	if begun(w) {
		panic(http.ErrAbortHandler)
	}
	WriteProblem(w, NewProblem(http.StatusInternalServerError, "internal", "an error of the server; its log says more"))
}

// A tracked answer knows whether it was begun. What goes wrong after that can
// only be told by breaking it off: a problem at its end would pass as part of it.
type tracked struct {
	http.ResponseWriter
	begun bool
}

func (t *tracked) WriteHeader(status int) {
	t.begun = t.begun || status >= http.StatusOK
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracked) Write(b []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func begun(w http.ResponseWriter) bool {
	for {
		switch inner := w.(type) {
		case *tracked:
			return inner.begun
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return false
		}
	}
}

// A headerProbe learns what the mux would answer.
type headerProbe struct {
	header http.Header
	status int
}

func (p *headerProbe) Header() http.Header         { return p.header }
func (p *headerProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *headerProbe) WriteHeader(status int)      { p.status = status }
