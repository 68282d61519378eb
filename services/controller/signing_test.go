package controller_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/services/controller/repository"
)

// TestNoKeyIsUntold: a process that ends between the key's file and the audit leaves
// a key that the next one tells of, once.
func TestNoKeyIsUntold(t *testing.T) {
	db := filepath.Join(t.TempDir(), "c.db")
	audit := func() string {
		r := start(t, controller.Config{DB: db})
		defer r.stop()
		_, answer := r.ask("GET", "/v1/audit", "")
		return answer
	}
	if said := audit(); strings.Contains(said, "signing-key") {
		t.Errorf("the first key is no rotation: %s", said)
	}
	key, _, err := repository.OpenKeyFile(strings.TrimSuffix(db, ".db") + ".key")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := key.Rotate(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	first := audit()
	if strings.Count(first, `"action":"signing-key.rotate"`) != 2 ||
		!strings.Contains(first, `"target":"`+key.Keys()[0].ID+`","outcome":"done","detail":"signed by `+key.Keys()[1].ID+`; found at a start, untold"`) {
		t.Errorf("the audit says %s", first)
	}
	if again := audit(); again != first {
		t.Errorf("told again: %s", again)
	}
}
