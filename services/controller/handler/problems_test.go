package handler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/telemetry"
)

// codes are all that the controller answers with, and under which status; beside
// them there is internal, which nobody should be able to provoke.
var codes = map[string]int{
	"invalid_json": 400, "invalid_yaml": 400, "invalid_toml": 400, "invalid_text": 400, "invalid_name": 400, "invalid_request": 400,
	"unauthorized": 401, "forbidden": 403, "not_found": 404, "method_not_allowed": 405,
	"stale_base": 409, "guard_empty": 409, "guard_mass_change": 409, "idempotency_mismatch": 409, "frozen": 409,
	"precondition_failed": 412, "too_large": 413, "unsupported_media_type": 415, "schema_violation": 422, "invalid_schema": 422,
	"overloaded": 429, "unavailable": 503, "storage_full": 507,
}

// ready makes the store seem as the error says.
func (s *site) ready(err error) {
	s.parts.Ready = func(context.Context) error { return err }
	s.handler = handler.New(s.parts)
	s.routes = s.handler.Routes(telemetry.NewRegistry())
}

// TestEveryProblem provokes each code in the plainest way there is.
func TestEveryProblem(t *testing.T) {
	const ns = "/v1/namespaces/payments"
	put := func(name, body string, headers ...string) func(*site) answer {
		return func(s *site) answer { return s.ask("PUT", ns+"/configs/"+name, body, headers...) }
	}
	ways := map[string]func(s *site) answer{
		"invalid_json":       put("new", `{`),
		"invalid_yaml":       put("new", "a: [", "Content-Type: application/yaml"),
		"invalid_toml":       put("new", "a", "Content-Type: application/toml"),
		"invalid_text":       put("new", "\xff", "Content-Type: text/plain"),
		"invalid_name":       put("New", `1`),
		"invalid_request":    func(s *site) answer { return s.ask("POST", ns+"/commits", `{}`) },
		"not_found":          func(s *site) answer { return s.ask("GET", ns+"/configs/nobody", "") },
		"method_not_allowed": func(s *site) answer { return s.ask("POST", ns+"/configs/c0", "") },
		"stale_base": func(s *site) answer {
			return s.ask("POST", ns+"/commits", `{"base_revision":1,"changes":[{"op":"delete","name":"c0"}]}`)
		},
		"guard_empty":            put("c0", `{}`),
		"guard_mass_change":      func(s *site) answer { return s.ask("POST", ns+"/commits", deletions(3)) },
		"precondition_failed":    put("c0", `1`, "If-None-Match: *"),
		"too_large":              put("new", strings.Repeat("1", config.MaxDocument+1)),
		"unsupported_media_type": put("new", `a=b`, "Content-Type: application/x-www-form-urlencoded"),
		"invalid_schema":         func(s *site) answer { return s.ask("PUT", ns+"/schemas/new", `{"type":1}`) },
		"overloaded":             func(s *site) answer { return s.ask("POST", "/v1/agents", tooMuch()) },
		"schema_violation": func(s *site) answer {
			s.ask("PUT", ns+"/schemas/new", `{"type":"object"}`).expect(201)
			return s.ask("PUT", ns+"/configs/new", `1`)
		},
		"idempotency_mismatch": func(s *site) answer {
			s.ask("PUT", ns+"/configs/new", `1`, "Idempotency-Key: k").expect(201)
			return s.ask("PUT", ns+"/configs/new", `2`, "Idempotency-Key: k")
		},
		"frozen": func(s *site) answer {
			until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
			s.ask("PATCH", ns, `{"frozen_until":"`+until+`"}`).expect(200)
			return s.ask("PUT", ns+"/configs/new?force=true", `1`)
		},
		"unauthorized": func(s *site) answer { s.guard(adminToken); return s.ask("GET", ns+"/configs", "") },
		"forbidden": func(s *site) answer {
			s.guard(adminToken)
			_, reader := s.token("r", "reader", "payments")
			return s.ask("PUT", ns+"/configs/new", `1`, as(reader))
		},
		"unavailable":  func(s *site) answer { s.ready(usecase.ErrUnavailable); return s.ask("GET", "/readyz", "") },
		"storage_full": func(s *site) answer { s.ready(usecase.ErrStorageFull); return s.ask("GET", "/readyz", "") },
	}
	for code, status := range codes {
		t.Run(code, func(t *testing.T) {
			provoke, ok := ways[code]
			if !ok {
				t.Fatal("nobody knows how to provoke it")
			}
			s := newSite(t)
			for i := range 4 {
				s.put(fmt.Sprintf("payments/configs/c%d", i), `{"rps":50}`)
			}
			provoke(s).problem(status, code)
		})
	}
}

// deletions is a commit that deletes the first n configs.
func deletions(n int) string {
	changes := make([]string, n)
	for i := range changes {
		changes[i] = fmt.Sprintf(`{"op":"delete","name":"c%d"}`, i)
	}
	return `{"changes":[` + strings.Join(changes, ",") + `]}`
}

// tooMuch is an agent that follows more namespaces than one may.
func tooMuch() string {
	names := make([]string, 1001)
	for i := range names {
		names[i] = fmt.Sprintf("%q", fmt.Sprintf("n%d", i))
	}
	return `{"id":"host-7","namespaces":[` + strings.Join(names, ",") + `]}`
}
