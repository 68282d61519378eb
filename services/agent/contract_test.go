package agent_test

import (
	"net/http"
	"testing"

	"github.com/heraldconf/herald/services/agent"
	"github.com/heraldconf/herald/services/agent/handler"
	"github.com/heraldconf/herald/shared/contract"
)

// promised is the agent's contract; every request of these tests is held against it.
var promised, unreadable = contract.Parse(handler.Contract)

// asPromised is a client that complains of answers that the contract has not.
func asPromised(t *testing.T) *http.Client {
	t.Helper()
	if unreadable != nil {
		t.Fatal(unreadable)
	}
	return &http.Client{Transport: promised.Transport(func(err error) { t.Errorf("against openapi.yaml: %v", err) })}
}

func TestContractIsServed(t *testing.T) {
	url, _ := run(t, agent.Config{Upstream: []string{newController(t).URL}})
	answer, body := get(t, url+"/openapi.yaml")
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/yaml" || body != string(handler.Contract) {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
}
