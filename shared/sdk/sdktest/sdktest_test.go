package sdktest_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
	"github.com/heraldconf/herald/shared/sdk/sdktest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type limits struct {
	RPS int `json:"rps"`
}

// Validate refuses what no service could keep up.
func (l limits) Validate() error {
	if l.RPS > 1000 {
		return fmt.Errorf("rps %d is more than 1000", l.RPS)
	}
	return nil
}

func watch(t *testing.T, agent *sdktest.Agent) *sdk.Value[limits] {
	t.Helper()
	w, err := sdk.Watch(t.Context(), "payments/limits", sdk.Options[limits]{HTTP: agent.HTTP(), Worker: "w-1", Default: limits{RPS: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func TestAnApplicationFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent := sdktest.NewAgent(t)
		w := watch(t, agent)
		synctest.Wait()
		if w.Load().RPS != 1 {
			t.Errorf("%d before there is a config", w.Load().RPS)
		}
		if v := agent.Verdict("payments", agent.Put("payments/limits", `{"rps":50}`)); v.Status != config.Applied || w.Load().RPS != 50 {
			t.Errorf("%+v with %d", v, w.Load().RPS)
		}
		v := agent.Verdict("payments", agent.Put("payments/limits", `{"rps":5000}`))
		if v.Status != config.Rejected || v.Code != sdk.CodeValidate || w.Load().RPS != 50 {
			t.Errorf("%+v with %d", v, w.Load().RPS)
		}
		if v := agent.Verdict("payments", agent.Delete("payments/limits")); v.Status != config.Rejected || w.Load().RPS != 50 {
			t.Errorf("deleted: %+v with %d", v, w.Load().RPS)
		}
	})
}

func TestAnOutageTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent := sdktest.NewAgent(t)
		agent.Put("payments/limits", `{"rps":50}`)
		w := watch(t, agent)
		agent.Verdict("payments", 1)
		time.Sleep(time.Second) // the next request is held by now
		began := time.Now()
		agent.Away(true)
		synctest.Wait()
		if state := w.Status().Agent.State; state != sdk.Down {
			t.Errorf("the held request goes on, state %s", state)
		}
		second := agent.Put("payments/limits", `{"rps":60}`)
		time.Sleep(10 * time.Minute)
		if w.Load().RPS != 50 || len(agent.Verdicts()) != 1 {
			t.Errorf("%d and %v from an agent that is away", w.Load().RPS, agent.Verdicts())
		}
		agent.Away(false)
		if agent.Verdict("payments", second); w.Load().RPS != 60 {
			t.Errorf("%d after the outage, %v later", w.Load().RPS, time.Since(began))
		}
	})
}

func TestRequestsFailAtOnceWhileAway(t *testing.T) {
	agent := sdktest.NewAgent(t)
	agent.Away(true)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://agent/v1/namespaces/payments/snapshot", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := agent.HTTP().Do(r)
	if err == nil {
		_ = answer.Body.Close()
	}
	if !errors.Is(err, sdktest.ErrAway) {
		t.Errorf("%v, want ErrAway", err)
	}
}

func TestNamespacesStandApart(t *testing.T) {
	agent := sdktest.NewAgent(t)
	for _, put := range []struct {
		name string
		want config.Revision
	}{{"a/x", 1}, {"a/y", 2}, {"b/x", 1}, {"a/x", 3}} {
		if got := agent.PutAs(put.name, "text/plain", "hello"); got != put.want {
			t.Errorf("%s stands at %d, want %d", put.name, got, put.want)
		}
	}
}

func Example() {
	// In the code under test: func serve(limits interface{ Load() limits }) …
	value := sdktest.NewValue(limits{RPS: 50})
	fmt.Println(value.Load().RPS)
	value.Set(limits{RPS: 60})
	fmt.Println(value.Load().RPS)
	// Output:
	// 50
	// 60
}

func ExampleAgent() {
	var t *testing.T // of the test

	_ = func() {
		agent := sdktest.NewAgent(t)
		revision := agent.Put("payments/limits", `{"rps":50}`)
		watcher, err := sdk.Watch(t.Context(), "payments/limits", sdk.Options[limits]{HTTP: agent.HTTP()})
		if err != nil {
			t.Fatal(err)
		}
		if verdict := agent.Verdict("payments", revision); verdict.Status != config.Applied {
			t.Errorf("the application refuses it: %s", verdict.Message)
		}
		_ = watcher.Close()
	}
}
