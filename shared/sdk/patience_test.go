package sdk_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
)

// TestPatience: who has some takes over what the agent brings, in the place of the last
// good; who is not answered, or does not bear it, goes on with the last good.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		newer   string
		meddle  func(a *agent)
		hangs   bool
		changes []string // old>new, as OnChange hears them at the start
		told    []int
	}{
		"the agent has something newer": {newer: `{"rps":2}`, changes: []string{"1>2"}, told: []int{2}},
		"it has nothing newer":          {changes: []string{"0>1"}, told: []int{1}},
		"it is away":                    {newer: `{"rps":2}`, meddle: func(a *agent) { a.away = errors.New("refused") }, changes: []string{"0>1"}},
		"it hangs":                      {newer: `{"rps":2}`, hangs: true, changes: []string{"0>1"}},
		"the application refuses it":    {newer: `{"rps":13}`, changes: []string{"1>13", "0>1"}, told: []int{-2, 1}},
		"it does not decode":            {newer: `"no"`, changes: []string{"0>1"}, told: []int{-2, 1}},
	} {
		folder := t.TempDir()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent()
				a.limits(1, `{"rps":1}`)
				_ = watchAll(t, a, sdk.NamespaceOptions[Settings]{StateDir: folder}).Close()
				time.Sleep(time.Second)
				first := watchAll(t, a, sdk.NamespaceOptions[Settings]{StateDir: folder})
				if err := first.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				_ = first.Close()
				if c.newer != "" {
					a.limits(2, c.newer)
				}
				a.set(func() {
					if a.reports = nil; c.meddle != nil {
						c.meddle(a)
					}
				})
				var changes []string
				options := sdk.NamespaceOptions[Settings]{
					StateDir: folder, Patience: time.Second, Agent: "http://agent.test", Worker: "w-1",
					HTTP: &http.Client{Transport: a}, Logger: slog.New(slog.DiscardHandler),
					OnChange: func(old, next Settings) error {
						if changes = append(changes, fmt.Sprintf("%d>%d", old.Limits.RPS, next.Limits.RPS)); next.Limits.RPS == 13 {
							return errors.New("unlucky")
						}
						return nil
					},
				}
				if c.hangs {
					options.HTTP.Transport = hung{}
				}
				began := time.Now()
				w, err := sdk.WatchNamespace(t.Context(), "payments", options)
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				if took := time.Since(began); took > time.Second {
					t.Errorf("the start took %s", took)
				}
				if !slices.Equal(changes, c.changes) {
					t.Errorf("heard %v, want %v", changes, c.changes)
				}
				running := config.Revision(1)
				if c.newer == `{"rps":2}` && len(c.told) > 0 {
					running = 2
				}
				if _, at := w.Current(); at.Revision != running {
					t.Errorf("runs on %d", at.Revision)
				}
				time.Sleep(5 * time.Second)
				if told := verdictsOf(heardBy(a)); c.meddle == nil && !c.hangs && !slices.Equal(told, c.told) {
					t.Errorf("told %v, want %v", told, c.told)
				}
				if !slices.Equal(changes, c.changes) {
					t.Errorf("heard %v later on, want %v", changes, c.changes)
				}
			})
		})
	}
}
