package handler_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestGuards: each way to write is held by them, and force passes each.
func TestGuards(t *testing.T) {
	s := newSite(t)
	for i := range 4 {
		s.put(fmt.Sprintf("payments/configs/c%d", i), fmt.Sprintf(`{"n":%d}`, i))
	}
	at := "/v1/namespaces/payments"
	s.put("other/configs/c", `[1]`)
	s.ask("PUT", at+"/configs/c0", `{}`).problem(409, "guard_empty", `"errors":[{"path":"/c0","message":"would be empty, and has 7 bytes now"}]`, "--force")
	s.ask("PUT", at+"/configs/c0?force=false", ` null `).problem(409, "guard_empty")
	s.ask("PUT", at+"/configs/c0?force=maybe", `{}`).problem(400, "invalid_request", "force is true or false")
	s.ask("PUT", at+"/configs/new", `{}`).expect(201)
	s.ask("PUT", at+"/configs/new", `[]`).expect(200)
	s.ask("DELETE", at+"/configs/new", "").expect(200)
	big := `"` + fmt.Sprintf("%0500d", 7) + `"`
	s.ask("PUT", at+"/configs/c3", big).expect(200)
	s.ask("DELETE", at+"/configs/c3", "").problem(409, "guard_mass_change", `"path":"/c3"`, "21 of 523 bytes")
	wipe := `{"changes":[{"op":"delete","name":"c0"},{"op":"delete","name":"c1"},{"op":"delete","name":"c2"}]}`
	s.ask("POST", at+"/commits", wipe).problem(409, "guard_mass_change", "3 of 4 configs", `"/c1"`)
	s.ask("POST", at+"/rollback", `{"to":1}`).problem(409, "guard_mass_change")
	s.ask("GET", at, "").expect(200)
	s.ask("GET", at+"/configs", "").expect(200, `"name":"c0","revision":1`)
	s.ask("POST", at+"/commits?force=true", wipe).expect(201)
	s.ask("POST", at+"/revert", `{"revision":9}`).expect(201)
	s.ask("DELETE", at+"/configs/c3?force=1", "").expect(200)
	s.ask("PUT", at+"/configs/c0?force=true", `{}`).expect(200)
	s.ask("POST", at+"/rollback?force=true", `{"to":1}`).expect(201)
}

func TestSettings(t *testing.T) {
	s := newSite(t)
	at := "/v1/namespaces/payments"
	s.ask("GET", at, "").problem(404, "not_found")
	s.ask("PATCH", at, `{"reason":"x"}`).problem(404, "not_found")
	s.put("payments/configs/limits", `{"rps":1}`)
	s.put("payments/configs/motd", `"hello"`)
	s.ask("GET", at, "").expect(200, `{"namespace":"payments","guards":{"empty":true,"configs":4,"deleted_percent":50,"kept_percent":50},"protected":false}`)
	s.ask("PATCH", at, `{"guards":{"empty":false,"configs":2}}`).expect(200, `"guards":{"empty":false,"configs":2,"deleted_percent":50,"kept_percent":50}`)
	s.ask("PUT", at+"/configs/motd", `""`).expect(200)
	s.ask("POST", at+"/commits", `{"changes":[{"op":"delete","name":"limits"},{"op":"delete","name":"motd"}]}`).problem(409, "guard_mass_change")
	for _, body := range []string{`{"guards":{"configs":0}}`, `{"guards":{"deleted_percent":101}}`, `{"reason":"why"}`, `{"frozen_until":"soon"}`,
		`{"frozen_until":"2999-01-01T00:00:00Z"}`, `{"frozen":true}`, `[]`} {
		s.ask("PATCH", at, body).problem(400, "invalid_request")
	}
	s.ask("GET", at, "").expect(200, `"configs":2`)
	s.ask("GET", "/v1/audit", "").expect(200, `"action":"namespace.set"`, `"target":"payments"`)
}

// TestFreeze: nobody passes it but a token with the role admin; force does not help.
func TestFreeze(t *testing.T) {
	s := newSite(t)
	at := "/v1/namespaces/payments"
	s.put("payments/configs/limits", `{"rps":1}`)
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	s.ask("PATCH", at, `{"frozen_until":"`+until+`","reason":"the sale"}`).expect(200, `"frozen_until":"`+until+`"`, `"reason":"the sale"`)
	for _, path := range []string{"/configs/limits", "/configs/limits?force=true"} {
		s.ask("PUT", at+path, `{"rps":2}`).problem(http.StatusConflict, "frozen", "the sale", until)
		s.ask("DELETE", at+path, "").problem(http.StatusConflict, "frozen")
	}
	s.ask("POST", at+"/rollback?force=true", `{"to":1}`).expect(200, `"changed":false`) // which changes nothing
	s.ask("POST", at+"/commits", `{"changes":[{"op":"delete","name":"limits"}]}`).problem(http.StatusConflict, "frozen")
	s.put("other/configs/limits", `1`)
	s.ask("PATCH", at, `{"frozen_until":null}`).expect(200)
	s.ask("PUT", at+"/configs/limits", `{"rps":2}`).expect(200)
}
