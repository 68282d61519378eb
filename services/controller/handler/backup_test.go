package handler_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/heraldconf/herald/services/controller/handler"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/telemetry"
)

// TestBackup: what is answered is a database that can be restored, with its digest,
// and the audit says who has it.
func TestBackup(t *testing.T) {
	s := newGuardedSite(t)
	s.ask("PUT", "/v1/namespaces/payments/configs/limits", `{"rps":50}`, as(adminToken)).expect(201)
	a := s.ask("GET", "/v1/backup", "", as(adminToken)).expect(200)
	a.header(map[string]string{
		"Content-Type": "application/vnd.sqlite3", "Repr-Digest": config.DigestOf(a.Body.Bytes()).Header(),
		"Content-Length": fmt.Sprint(a.Body.Len()), "Cache-Control": "no-store",
	})
	file := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(file, a.Body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	restored, err := repository.Restore(t.Context(), file, file+".db")
	if err != nil || restored.Commits != 1 {
		t.Errorf("%+v, %v", restored, err)
	}
	s.ask("GET", "/v1/audit?limit=1", "", as(adminToken)).expect(200, `"actor":"admin"`, `"action":"backup"`, `"outcome":"done"`)
}

// TestBackupThatFails: a full disk is told as one.
func TestBackupThatFails(t *testing.T) {
	s := newSite(t)
	for why, status := range map[error]int{usecase.ErrStorageFull: 507, usecase.ErrUnavailable: 503, repository.ErrDamaged: 500} {
		s.parts.Backup = func(context.Context, func(*os.File) error) error { return why }
		s.routes = handler.New(s.parts).Routes(telemetry.NewRegistry())
		if a := s.ask("GET", "/v1/backup", ""); a.Code != status {
			t.Errorf("%v: %d %s", why, a.Code, a.Body)
		}
	}
}
