package sdk_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/sdk"
)

// verdictsOf are the revisions that were told, in order; a negative one was rejected.
func verdictsOf(told []config.Verdict) (revisions []int) {
	for _, v := range told {
		revision := int(v.Revision)
		if v.Status == config.Rejected {
			revision = -revision
		}
		revisions = append(revisions, revision)
	}
	return revisions
}

func heardBy(a *agent) (verdicts []config.Verdict) {
	for _, each := range a.told() {
		verdicts = append(verdicts, each.Verdict)
	}
	return verdicts
}

// tries lets a worker try one revision a second; a negative one is no good.
func tries(a *agent, revisions ...int) {
	for _, revision := range revisions {
		document := fmt.Sprintf(`{"rps":%d}`, revision)
		if revision < 0 {
			document = `"no"`
		}
		a.limits(config.Revision(max(revision, -revision)), document)
		time.Sleep(time.Second)
	}
}

func TestEachVerdictIsToldUntilHeardAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		watch(t, a, sdk.Options[Limits]{})
		tries(a, 1)
		a.set(func() { a.deaf, a.reports = &pull.Refusal{Status: 503, RetryAfter: time.Minute}, nil })
		tries(a, 2, -3, 4)
		a.set(func() { a.deaf, a.reports = nil, nil })
		time.Sleep(70 * time.Second)
		told := verdictsOf(heardBy(a))
		if len(told) < 3 || !slices.Equal(told[:3], []int{2, -3, 4}) {
			t.Fatalf("told %v", told)
		}
		for _, again := range told[3:] {
			if again != 4 {
				t.Errorf("told %v: what was heard is not told again, but for the newest", told)
			}
		}
	})
}

func TestUnheardVerdictsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := newAgent()
		watch(t, a, sdk.Options[Limits]{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		a.set(func() { a.deaf = &pull.Refusal{Status: 503, RetryAfter: time.Hour} })
		tries(a, 1, -2, 3)
		for revision := 4; revision <= config.MostUnheard+2; revision++ {
			tries(a, revision)
		}
		a.set(func() { a.deaf, a.reports = nil, nil })
		tries(a, -100)
		told := verdictsOf(heardBy(a))
		if len(told) != config.MostUnheard || told[0] != -2 || told[1] != 5 || told[len(told)-1] != -100 {
			t.Errorf("told %v", told)
		}
		if n := strings.Count(log.String(), "one is dropped"); n != 3 || !strings.Contains(log.String(), "revision=4 ") {
			t.Errorf("%d were dropped: %s", n, log.String())
		}
	})
}

// Nobody says whether what a Link carries arrives.
func TestWhatWentOverTheLinkGoesOnceMoreByHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := newAgent(), &link{healthy: true}
		watch(t, a, sdk.Options[Limits]{Link: l})
		tries(a, 1)
		ring := func(revision int) {
			tries(a, revision)
			l.ring(pull.Nudge{Position: config.Position{Epoch: "E1", Revision: config.Revision(max(revision, -revision))}})
			time.Sleep(100 * time.Millisecond)
		}
		ring(-2)
		l.set(func() { l.deaf = true })
		a.set(func() { a.deaf = &pull.Refusal{Status: 503, RetryAfter: 5 * time.Second} })
		ring(3)
		l.set(func() { l.deaf = false })
		a.set(func() { a.deaf, a.reports = nil, nil })
		ring(4)
		if told := verdictsOf(l.told()); !slices.Equal(told, []int{1, -2, 3, 4}) {
			t.Errorf("over the link %v", told)
		}
		time.Sleep(time.Minute)
		if told := verdictsOf(heardBy(a)); len(told) < 5 || !slices.Equal(told[:4], []int{1, -2, 3, 4}) || told[4] != 4 {
			t.Errorf("by HTTP %v", told)
		}
		if told := verdictsOf(l.told()); len(told) != 4 {
			t.Errorf("over the link %v", told)
		}
	})
}

func TestGoodbyeBringsWhatWasNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		w := watch(t, a, sdk.Options[Limits]{})
		tries(a, 1)
		a.set(func() { a.deaf = &pull.Refusal{Status: 503, RetryAfter: time.Minute} })
		tries(a, 2, -3)
		a.set(func() { a.deaf, a.reports = nil, nil })
		_ = w.Close()
		if told := verdictsOf(heardBy(a)); !slices.Equal(told, []int{2, -3}) || len(a.goodbyes) != 1 {
			t.Errorf("told %v, goodbyes %+v", told, a.goodbyes)
		}
	})
}
