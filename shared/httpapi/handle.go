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
	"strings"

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

// ReadBody reads a body of at most limit bytes.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); err != nil && !tooLarge {
		return nil, Invalid("the body broke off: " + err.Error())
	}
	return body, err
}

// ReadJSON reads a JSON object into a value. Unknown members and members that
// stand twice are refused: a typing error should not pass as a default.
func ReadJSON(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	body, err := ReadBody(w, r, limit)
	if err != nil {
		return err
	}
	if err := config.CheckJSON(body); err != nil {
		problem := Invalid("the body is not the JSON that is asked for: " + err.Error())
		if faulty, ok := errors.AsType[*config.FaultyDocument](err); ok {
			problem.Errors = faulty.Faults
		}
		return problem
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return Invalid("the body is not the JSON that is asked for: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// Router answers what no route of the mux matches with a problem, 404 or 405,
// and keeps a panicking handler from taking its connection down unanswered.
func Router(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer recovered(w, r)
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
	slog.ErrorContext(r.Context(), "handler panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(reason))
	WriteProblem(w, NewProblem(http.StatusInternalServerError, "internal", "an error of the server; its log says more"))
}

// A headerProbe learns what the mux would answer.
type headerProbe struct {
	header http.Header
	status int
}

func (p *headerProbe) Header() http.Header         { return p.header }
func (p *headerProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *headerProbe) WriteHeader(status int)      { p.status = status }
