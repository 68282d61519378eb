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

func exampleAgent() *agent {
	a := newAgent()
	a.limits(1, `{"rps":50}`)
	return a
}
