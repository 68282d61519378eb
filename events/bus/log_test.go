package bus

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

func TestWatermillComplainsOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := newLines()
		log := newWatermillLog(logged.logger(slog.LevelInfo)).With(watermill.LogFields{"topic": "t"})
		for range 10 {
			log.Error("read fail", errors.New("EOF"), watermill.LogFields{"n": 1})
			time.Sleep(between / 5)
		}
		log.Info("subscribing", nil)
		log.Debug("waiting", nil)
		log.Trace("received", nil)
		got := logged.with("")
		if len(got) != 2 || !strings.Contains(got[0], "level=WARN") || !strings.Contains(got[0], "topic=t") ||
			!strings.Contains(got[0], "error=EOF") {
			t.Errorf("logged %q", got)
		}
	})
}

func TestWhatWatermillTellsIsForDebugging(t *testing.T) {
	logged := newLines()
	log := newWatermillLog(logged.logger(slog.LevelDebug))
	log.Info("subscribing", watermill.LogFields{"topic": "t"})
	log.Debug("waiting", nil)
	log.Trace("received", nil)
	if got := logged.with("level=DEBUG"); len(got) != 2 || !strings.Contains(got[0], "topic=t") {
		t.Errorf("logged %q", got)
	}
}

func TestBackoff(t *testing.T) {
	for failures, full := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 2 * time.Second} {
		for range 100 {
			if got := defaultTimes.backoff(failures); got < full/2 || got > full {
				t.Fatalf("after %d failures: %v", failures, got)
			}
		}
	}
	if got := defaultTimes.backoff(1 << 30); got > 2*time.Second || got < time.Second {
		t.Errorf("after very many failures: %v", got)
	}
}
