package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/httpapi"
	"github.com/heraldconf/herald/shared/settings"
)

// The exit codes beside 0, 1 and 2.
const (
	exitNotFound     = 3
	exitPrecondition = 4
	exitRefused      = 5
	exitWaitUnmet    = 6
	exitUnavailable  = 7
	exitNotAllowed   = 8
)

// Errors of the tool's own that have an exit code.
var (
	errNotFound    = errors.New("not found")
	errRefused     = errors.New("refused")
	errUnavailable = errors.New("unavailable")
	errStranger    = errors.New("the answer is none of Herald's; is --server the address of a controller?")
	errWaitUnmet   = errors.New("not every worker that was waited for runs on it")
	errRejected    = fmt.Errorf("%w", errWaitUnmet) // and some have refused it
)

// A programEnded passes the exit code of a program on, and says nothing.
type programEnded int

func (programEnded) Error() string { return "" }

// A crashed is one that ended badly though nobody had asked it to end.
type crashed int

func (crashed) Error() string { return "" }

// exitCode finds the exit code of an error that is not about usage.
func exitCode(err error) int {
	if program, ok := errors.AsType[programEnded](err); ok {
		return int(program)
	}
	if program, ok := errors.AsType[crashed](err); ok {
		return int(program)
	}
	if problem, ok := errors.AsType[*httpapi.Problem](err); ok {
		return problemCode(problem)
	}
	if _, ok := errors.AsType[*client.Unreachable](err); ok {
		return exitUnavailable
	}
	switch {
	case errors.Is(err, errNotFound):
		return exitNotFound
	case errors.Is(err, errRefused):
		return exitRefused
	case errors.Is(err, errWaitUnmet):
		return exitWaitUnmet
	case errors.Is(err, errUnavailable):
		return exitUnavailable
	}
	return settings.ExitFailed
}

func problemCode(p *httpapi.Problem) int {
	switch p.Code {
	case "stale_base":
		return exitPrecondition
	case "idempotency_mismatch":
		return settings.ExitFailed
	}
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitNotAllowed
	case http.StatusNotFound:
		return exitNotFound
	case http.StatusPreconditionFailed:
		return exitPrecondition
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return exitRefused
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, http.StatusInsufficientStorage:
		return exitUnavailable
	}
	return settings.ExitFailed
}

// advise adds to an error what to do next, where that helps. about is what the
// command was about: a namespace, or NAMESPACE/NAME.
func advise(err error, about string) error {
	if unreachable, ok := errors.AsType[*client.Unreachable](err); ok {
		if unreachable.Unknown {
			return fmt.Errorf("%w; the change may have been made all the same: look with: herald history %s", err, about)
		}
		return fmt.Errorf("%w; is the controller running? try: herald up", err)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted: %w", err)
	}
	if own, ok := errors.AsType[*advised](err); ok {
		return fmt.Errorf("%w; %s", err, own.next)
	}
	problem, ok := errors.AsType[*httpapi.Problem](err)
	if !ok {
		return err
	}
	if next := nextStep(problem, about); next != "" {
		return fmt.Errorf("%w; %s", err, next)
	}
	return err
}

// An advised error says by itself what to do next.
type advised struct {
	error
	next string
}

// Unwrap is for errors.As.
func (a *advised) Unwrap() error { return a.error }

func nextStep(p *httpapi.Problem, about string) string {
	switch {
	case p.Code == "": // it did not come from Herald
		return ""
	case p.Status == http.StatusUnauthorized:
		return "sign in with --token, HERALD_TOKEN or HERALD_TOKEN_FILE"
	case p.Status == http.StatusForbidden:
		return "this token is not for that: ask an admin for one that is"
	case p.Status == http.StatusNotFound:
		return "see what there is with: herald list"
	case p.Status == http.StatusPreconditionFailed:
		return "see what stands there with: herald get " + about + " -o json"
	case p.Code == "stale_base" && len(p.Errors) > 0:
		return "bring back a whole revision with: herald rollback " + about + " --to N"
	case p.Code == "stale_base":
		return "somebody else was quicker: look with: herald history " + about + ", then apply again"
	case p.Status == http.StatusServiceUnavailable:
		return "try again in a moment"
	case p.Status == http.StatusInsufficientStorage:
		return "the controller's disk is full: make room there"
	}
	return ""
}
