// Package httpapi is what Herald's HTTP servers have in common: problem details
// (RFC 9457) from a table of errors, strict JSON, the routes' 404 and 405, and the
// life of a server from its listener to its last answer. It knows no service.
package httpapi

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A Status is one line of the table that turns a service's errors into answers.
type Status struct {
	Err     error  // matched by errors.Is
	Status  int    // the HTTP status
	Problem string // the problem's code
	Lasting bool   // it does not end by itself: there is no Retry-After
}

// A Problem is an answer that says what went wrong, and an error to return from
// a handler.
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Code   string         `json:"code"`
	Errors []config.Fault `json:"errors,omitempty"`
	// Between is what is different from what whoever asked took for granted, as a diff.
	Between json.RawMessage `json:"between,omitempty"`

	RetryAfter time.Duration `json:"-"`
}

// NewProblem returns a problem of that status and code.
func NewProblem(status int, code, detail string) *Problem {
	return &Problem{Type: "urn:herald:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// Invalid is a 400 for a request that cannot be read.
func Invalid(detail string) *Problem {
	return NewProblem(http.StatusBadRequest, "invalid_request", detail)
}

func (p *Problem) Error() string { return p.Detail }

// common are the errors that any service may answer with.
var common = []Status{
	{Err: config.ErrInvalidName, Status: http.StatusBadRequest, Problem: "invalid_name"},
	{Err: config.ErrInvalidJSON, Status: http.StatusBadRequest, Problem: "invalid_json"},
	{Err: config.ErrMediaType, Status: http.StatusUnsupportedMediaType, Problem: "unsupported_media_type"},
}

// ProblemOf returns the problem that an error is answered with.
func ProblemOf(statuses []Status, err error) *Problem {
	problem, _ := problemOf(statuses, err)
	return problem
}

// problemOf finds the answer for an error. known is false for an error that no
// table has: it is ours, and its text stays inside.
func problemOf(statuses []Status, err error) (p *Problem, known bool) {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p, true
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return NewProblem(http.StatusRequestEntityTooLarge, "too_large",
			"the body is larger than "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes"), true
	}
	for _, table := range [][]Status{statuses, common} {
		for _, s := range table {
			if errors.Is(err, s.Err) {
				return fromStatus(s, err), true
			}
		}
	}
	return NewProblem(http.StatusInternalServerError, "internal", "an error of the server; its log says more"), false
}

func fromStatus(s Status, err error) *Problem {
	p := NewProblem(s.Status, s.Problem, err.Error())
	if faulty, ok := errors.AsType[*config.FaultyDocument](err); ok {
		p.Errors = faulty.Faults
	}
	if !s.Lasting && (s.Status == http.StatusServiceUnavailable || s.Status == http.StatusTooManyRequests) {
		p.RetryAfter = time.Second
	}
	return p
}

// WriteProblem answers with a problem.
func WriteProblem(w http.ResponseWriter, p *Problem) {
	h := w.Header()
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="herald"`)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone if this fails
}
