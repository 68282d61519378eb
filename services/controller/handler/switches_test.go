package handler_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/heraldconf/herald/services/controller/handler"
)

// writePatterns are the routes that change something.
func writePatterns() []string {
	return slices.DeleteFunc(handler.Patterns(), func(pattern string) bool { return strings.HasPrefix(pattern, "GET ") })
}

// TestContractHasEveryParameter: what a write takes is written down, and the reverse.
func TestContractHasEveryParameter(t *testing.T) {
	for _, operation := range promised.Operations() {
		pattern := operation.Pattern()
		if !slices.Contains(writePatterns(), pattern) {
			continue
		}
		if taken, told := slices.Sorted(slices.Values(handler.Switches(pattern))), slices.Sorted(slices.Values(operation.Query)); !slices.Equal(taken, told) {
			t.Errorf("%s takes %q, openapi.yaml says %q", pattern, taken, told)
		}
	}
}

// TestWritesTakeNoParameterForAnother: whoever mistypes dry_run has nothing written.
func TestWritesTakeNoParameterForAnother(t *testing.T) {
	s := newTried(t)
	before := s.everything()
	for _, pattern := range writePatterns() {
		method, path, body := s.good(pattern)
		bad := []string{"dryrun=true", "dry_run=true;x", "dry_run=%zz", "Dry_run=true", "dry_run=true&force=true&forced=true"}
		for _, name := range []string{"dry_run", "force"} {
			if !slices.Contains(handler.Switches(pattern), name) {
				bad = append(bad, name+"=true")
				continue
			}
			bad = append(bad, name+"=", name+"=maybe", name+"=true&"+name+"=true", name+"=true&"+name+"=false")
		}
		for _, query := range bad {
			a := answer{s.bare(method, path+"?"+query, body, as(adminToken)), t}
			a.problem(400, "invalid_request")
			if t.Failed() {
				t.Fatalf("%s ?%s", pattern, query)
			}
		}
	}
	if after := s.everything(); after != before {
		t.Errorf("something was written: %s\nwas: %s", after, before)
	}
	s.ask("PUT", payments+"/configs/c0?dryrun=true", `1`, as(adminToken)).problem(400, "invalid_request", `\"dryrun\"; this takes dry_run and force`)
	s.ask("POST", "/v1/agents?dry_run=true", `{"id":"host-8"}`, as(adminToken)).problem(400, "invalid_request", "this takes no parameters")
}
