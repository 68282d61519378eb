package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/httpapi"
)

func TestExitCodes(t *testing.T) {
	problem := func(status int, code string) error { return httpapi.NewProblem(status, code, "detail") }
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("anything"), 1},
		{problem(500, "internal"), 1},
		{problem(302, ""), 1},
		{problem(409, "idempotency_mismatch"), 1},
		{problem(404, "not_found"), 3},
		{errNotFound, 3},
		{problem(412, "precondition_failed"), 4},
		{problem(409, "stale_base"), 4},
		{problem(400, "invalid_json"), 5},
		{problem(409, "guard_empty"), 5},
		{problem(409, "guard_mass_change"), 5},
		{problem(413, "too_large"), 5},
		{problem(415, "unsupported_media_type"), 5},
		{problem(422, "schema_violation"), 5},
		{errRefused, 5},
		{errWaitUnmet, 6},
		{&client.Unreachable{Server: "x"}, 7},
		{problem(429, "overloaded"), 7},
		{problem(502, ""), 7},
		{problem(503, "unavailable"), 7},
		{problem(504, ""), 7},
		{problem(507, "storage_full"), 7},
		{errUnavailable, 7},
		{problem(401, "unauthorized"), 8},
		{problem(403, "forbidden"), 8},
	} {
		if got := exitCode(advise(fmt.Errorf("wrapped: %w", c.err), "payments")); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestAdviceSaysWhatToDoNext(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&client.Unreachable{Server: "http://x", Reason: "connection refused"}, "cannot reach http://x: connection refused; is the controller running? try: herald up"},
		{&client.Unreachable{Server: "http://x", Reason: "the connection broke off", Unknown: true}, "herald history payments/limits"},
		{httpapi.NewProblem(401, "unauthorized", "who?"), "HERALD_TOKEN"},
		{httpapi.NewProblem(403, "forbidden", "no"), "ask an admin"},
		{httpapi.NewProblem(404, "not_found", "no"), "herald list"},
		{httpapi.NewProblem(412, "precondition_failed", "no"), "herald get payments/limits -o json"},
		{httpapi.NewProblem(409, "stale_base", "no"), "apply again"},
		{httpapi.NewProblem(503, "unavailable", "no"), "in a moment"},
		{httpapi.NewProblem(507, "storage_full", "no"), "make room"},
		{context.Canceled, "interrupted"},
	} {
		if got := advise(c.err, "payments/limits").Error(); !strings.Contains(got, c.want) {
			t.Errorf("%q lacks %q", got, c.want)
		}
	}
	for _, err := range []error{errors.New("x"), httpapi.NewProblem(404, "", "a stranger"), httpapi.NewProblem(429, "overloaded", "reject some"), httpapi.NewProblem(422, "schema_violation", "x")} {
		if got := advise(err, "payments"); got.Error() != err.Error() {
			t.Errorf("%v became %v", err, got)
		}
	}
	if advise(nil, "") != nil {
		t.Error("advice for what went well")
	}
}
