package sdk_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/heraldconf/herald/shared/sdk"
)

func ExampleWatch() {
	agent := httptest.NewServer(exampleAgent()) // on a host it stands at sdk.DefaultAgent
	defer agent.Close()
	type limits struct {
		RPS int `json:"rps"`
	}
	ctx := context.Background()

	watcher, err := sdk.Watch(ctx, "payments/limits", sdk.Options[limits]{Agent: agent.URL, Default: limits{RPS: 10}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = watcher.Close() }()

	_ = watcher.Wait(ctx) // or go on with the default
	fmt.Println("requests per second:", watcher.Load().RPS)
	// Output: requests per second: 50
}

// Configs that belong together come from one revision, always.
func ExampleWatchNamespace() {
	agent := httptest.NewServer(exampleAgent())
	defer agent.Close()
	type settings struct {
		Limits struct {
			RPS int `json:"rps"`
		} `herald:"limits"` // rejected where it is missing
		Motd string `herald:"motd,optional"` // else as in Default
	}
	ctx := context.Background()

	watcher, err := sdk.WatchNamespace(ctx, "payments", sdk.NamespaceOptions[settings]{
		Agent:   agent.URL,
		Default: settings{Motd: "welcome"},
		OnChange: func(old, next settings) error { // an error refuses the revision, and the value stays
			fmt.Println("from", old.Limits.RPS, "to", next.Limits.RPS)
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = watcher.Close() }()

	_ = watcher.Wait(ctx)
	now := watcher.Load()
	fmt.Println(now.Motd+",", now.Limits.RPS, "requests per second")
	// Output:
	// from 0 to 50
	// welcome, 50 requests per second
}

// Any type will do where Build says how it is made of the configs.
func ExampleNamespaceOptions_build() {
	agent := httptest.NewServer(exampleAgent())
	defer agent.Close()
	ctx := context.Background()

	watcher, err := sdk.WatchNamespace(ctx, "payments", sdk.NamespaceOptions[map[string]int]{
		Agent: agent.URL,
		Build: func(configs sdk.Configs) (map[string]int, error) {
			sizes := map[string]int{}
			for name, document := range configs.All() {
				sizes[string(name)] = len(document.Body)
			}
			return sizes, nil
		},
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = watcher.Close() }()

	_ = watcher.Wait(ctx)
	fmt.Println(watcher.Load())
	// Output: map[limits:10]
}

func exampleAgent() *agent {
	a := newAgent()
	a.limits(1, `{"rps":50}`)
	return a
}
