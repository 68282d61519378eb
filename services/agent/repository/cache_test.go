package repository_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent/repository"
	"github.com/heraldconf/herald/shared/lastgood"
)

func TestIntervalIsKept(t *testing.T) {
	path := t.TempDir()
	folder, err := lastgood.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	cache := repository.NewCache(folder, slog.New(slog.DiscardHandler))
	if got := cache.Interval(); got != 0 {
		t.Errorf("an empty folder has %s", got)
	}
	for _, told := range []time.Duration{100 * time.Millisecond, 15 * time.Second, time.Hour} {
		if err := cache.KeepInterval(told); err != nil || cache.Interval() != told {
			t.Errorf("kept %s as %s: %v", told, cache.Interval(), err)
		}
	}
	for _, damaged := range []string{"", "15", "-15s", "9999h", "15s15", "\x00\x00\x00"} {
		if err := os.WriteFile(filepath.Join(path, "poll-interval"), []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := cache.Interval(); got != 0 {
			t.Errorf("%q is read as %s", damaged, got)
		}
	}
	if names, err := cache.Namespaces(); len(names) > 0 || err != nil {
		t.Errorf("the interval is taken for a namespace: %v %v", names, err)
	}
}
