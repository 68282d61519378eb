package repository_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/agent/repository"
	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
)

func TestVerdictsOnDisk(t *testing.T) {
	dir := t.TempDir()
	folder, err := lastgood.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	unheard := repository.NewUnheard(folder, slog.New(slog.DiscardHandler))
	if got := unheard.Verdicts(); got != nil {
		t.Errorf("%v in an empty folder", got)
	}
	at := time.Date(2026, 8, 21, 12, 0, 0, 1, time.UTC)
	verdicts := []config.Verdict{
		{Worker: "w-1", Agent: "host-7", Namespace: "payments", Revision: 2, Epoch: "E1", Status: config.Applied, At: at, TookMS: 3},
		{Worker: "w-1", Agent: "host-7", Namespace: "payments", Revision: 3, Epoch: "E1", Status: config.Rejected, Code: "decode", Message: "no", At: at},
	}
	if err := unheard.KeepVerdicts(verdicts); err != nil {
		t.Fatal(err)
	}
	if got := unheard.Verdicts(); !reflect.DeepEqual(got, verdicts) {
		t.Errorf("%+v", got)
	}
	if names, err := repository.NewCache(folder, slog.New(slog.DiscardHandler)).Namespaces(); err != nil || len(names) != 0 {
		t.Errorf("taken for a namespace: %v, %v", names, err)
	}
	for content, left := range map[string]int{
		"": 0, "{": 0, "null": 0,
		`[{"worker":"w 1","namespace":"payments","revision":1,"status":"applied"},{"worker":"w-1","namespace":"payments","revision":1,"status":"applied"}]`: 1,
	} {
		if err := os.WriteFile(filepath.Join(dir, ".verdicts"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := unheard.Verdicts(); len(got) != left {
			t.Errorf("%q: %v", content, got)
		}
	}
}
