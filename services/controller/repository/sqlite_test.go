package repository

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/usecase"
)

// TestPragmasAreReadBack: a parameter that the driver does not know, which it
// takes without a word, does not pass.
func TestPragmasAreReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for parameter, pragma := range map[string]string{
		"_synchronous=FULL": "synchronous", "_foreign_keys=on": "foreign_keys",
	} {
		how := writing
		how.parameters = strings.ReplaceAll(writing.parameters, parameter, "_pragma="+parameter)
		if _, err := connect(t.Context(), path, how); err == nil || !strings.Contains(err.Error(), pragma) {
			t.Errorf("without %s: %v", parameter, err)
		}
	}
	how := reading
	how.pragmas = maps.Clone(reading.pragmas)
	how.parameters = "mode=ro&_busy_timeout=5000&_synchronous=FULL&_foreign_keys=on"
	if _, err := connect(t.Context(), path, how); err == nil || !strings.Contains(err.Error(), "query_only") {
		t.Errorf("a reader that may write: %v", err)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.read(t.Context()).Create(&storeRow{Key: "x", Value: "y"}).Error; err == nil {
		t.Error("a reader wrote")
	}
}

func TestFailure(t *testing.T) {
	own := errors.New("a rule's")
	for _, c := range []struct {
		err, want error
	}{
		{nil, nil},
		{own, own},
		{domain.ErrStaleBase, domain.ErrStaleBase},
		{fmt.Errorf("save: %w", sqlite3.Error{Code: sqlite3.ErrFull}), usecase.ErrStorageFull},
		{sqlite3.Error{Code: sqlite3.ErrIoErr}, usecase.ErrUnavailable},
		{sqlite3.Error{Code: sqlite3.ErrBusy}, usecase.ErrUnavailable},
		{sqlite3.Error{Code: sqlite3.ErrReadonly}, usecase.ErrUnavailable},
	} {
		if got := failure(c.err); !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%v became %v, want %v", c.err, got, c.want)
		}
	}
	if err := failure(sqlite3.Error{Code: sqlite3.ErrConstraint}); errors.Is(err, usecase.ErrUnavailable) {
		t.Error("our own mistake is passed off as the disk's")
	}
}

// TestStorageFull: a disk without room is said to be one, loses nothing, and is
// written again once there is room.
func TestStorageFull(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write := func(body string) error {
		_, err := s.Update(t.Context(), "payments", func(now domain.Namespace) (domain.Commit, error) {
			change := domain.Change{Op: domain.Put, Name: "big"}
			change.MediaType, change.Body = "text/plain", []byte(body)
			return domain.Revise(now, domain.Proposal{Changes: []domain.Change{change}}, time.Now())
		})
		return err
	}
	limit := func(pages int) {
		t.Helper()
		if err := s.writer.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := write("small"); err != nil {
		t.Fatal(err)
	}
	var pages int
	if err := s.writer.Raw("PRAGMA page_count").Scan(&pages).Error; err != nil {
		t.Fatal(err)
	}
	limit(pages + 2)
	if err := write(strings.Repeat("x", 100_000)); !errors.Is(err, usecase.ErrStorageFull) {
		t.Errorf("got %v, want ErrStorageFull", err)
	}
	snapshot, err := s.Newest(t.Context(), "payments")
	if err != nil || snapshot.Revision != 1 || string(snapshot.Configs[0].Body) != "small" {
		t.Errorf("%+v, %v", snapshot, err)
	}
	limit(1 << 30)
	if err := write(strings.Repeat("x", 100_000)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestReadySaysWhetherItCanBeWritten: and asks the disk every two seconds at most.
func TestReadySaysWhetherItCanBeWritten(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	writes := 0
	if err := s.writer.Callback().Update().Before("gorm:update").Register("count", func(*gorm.DB) { writes++ }); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if writes > 1 {
		t.Errorf("%d writes for ten questions", writes)
	}
	if err := s.writer.Exec("PRAGMA query_only = on").Error; err != nil {
		t.Fatal(err)
	}
	s.probe.at = time.Time{}
	if err := s.Ready(t.Context()); !errors.Is(err, usecase.ErrUnavailable) {
		t.Errorf("it cannot be written, and says %v", err)
	}
	if err := s.writer.Exec("PRAGMA query_only = off").Error; err != nil {
		t.Fatal(err)
	}
	s.probe.at = time.Time{}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
