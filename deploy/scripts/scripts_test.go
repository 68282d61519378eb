package scripts_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/events/eventstest"
)

// A result is what a script left when it ended.
type result struct {
	code        int
	out, failed string
}

// run runs a script with the environment of a shell that has no settings of Herald.
func run(t *testing.T, stdin string, script string, args ...string) result {
	t.Helper()
	for _, program := range []string{"bash", "curl", "redis-cli"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: run ./deploy/test, which installs what it can", program)
		}
	}
	cmd := exec.CommandContext(t.Context(), "./"+script, args...)
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "HERALD_") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, "HERALD_TOKEN=s3cret")
	var out, failed bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &failed
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), failed.String()}
}

// A controller answers every request alike and keeps what it was asked.
type controller struct {
	status  int
	answer  string
	request *http.Request
	body    string
}

func (c *controller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.request, c.body = r, string(body)
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.answer)
}

const committed = `{"namespace":"payments","name":"limits","revision":42,"etag":"k3x","changed":true}`

func TestPublishConfigCommitsTheBytesAndAnnounces(t *testing.T) {
	redis, fake := eventstest.Redis(t), &controller{status: http.StatusCreated, answer: committed}
	server := httptest.NewServer(fake)
	defer server.Close()
	file, document := filepath.Join(t.TempDir(), "limits.yaml"), "rps: 50\n\n# as written\r\n"
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}

	got := run(t, "", "publish-config", "--server", server.URL, "--bus", redis.URL()+"?prefix=eu.",
		"-m", "halve\nthe rate", "--if-match", "abc", "payments/limits", file)
	if got.code != 0 || strings.TrimSpace(got.out) != committed {
		t.Fatalf("got %+v", got)
	}
	if where := fake.request.Method + " " + fake.request.URL.Path; where != "PUT /v1/namespaces/payments/configs/limits" || fake.body != document {
		t.Errorf("%s with body %q", where, fake.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/yaml", "If-Match": `"abc"`,
		"Herald-Message": "halve the rate", "Authorization": "Bearer s3cret",
	} {
		if value := fake.request.Header.Get(name); value != want {
			t.Errorf("%s: %q instead of %q", name, value, want)
		}
	}
	entries, err := redis.Client().XRange(t.Context(), "eu.config-changed", "-", "+").Result()
	if err != nil || len(entries) != 1 {
		t.Fatalf("the stream holds %v, %v", entries, err)
	}
	payload, _ := entries[0].Values["payload"].(string)
	if !strings.Contains(payload, `"namespace":"payments","revision":42`) || !json.Valid([]byte(payload)) {
		t.Errorf("payload %s", payload)
	}
}

func TestPublishConfigEndsWithTheCodesOfHerald(t *testing.T) {
	for _, test := range []struct {
		status     int
		code, text string
		want       int
	}{
		{400, "invalid_json", `line 1: a \"quote\" is open`, 5},
		{401, "unauthorized", "bring a token", 8},
		{403, "forbidden", "not yours", 8},
		{404, "not_found", "no such config", 3},
		{409, "stale_base", "41 is not the newest", 4},
		{409, "guard_empty", "an empty document", 5},
		{412, "precondition_failed", "somebody else was quicker", 4},
		{413, "too_large", "1 MiB at most", 5},
		{422, "schema_violation", "not what the schema says", 5},
		{500, "", "", 1},
		{503, "unavailable", "the store is not writable", 7},
		{507, "storage_full", "the disk is full", 7},
	} {
		fake := &controller{status: test.status, answer: `{"title":"no","detail":"` + test.text + `","code":"` + test.code + `"}`}
		server := httptest.NewServer(fake)
		got := run(t, "{}", "publish-config", "--server", server.URL, "--bus", "none", "payments/limits")
		server.Close()
		if got.code != test.want || got.out != "" || !strings.Contains(got.failed, strings.ReplaceAll(test.text, `\"`, `"`)) {
			t.Errorf("%d %s: %+v", test.status, test.code, got)
		}
		if fake.body != "{}" || fake.request.Header.Get("Content-Type") != "application/json" {
			t.Errorf("standard input went as %q, %s", fake.body, fake.request.Header.Get("Content-Type"))
		}
	}
}

func TestPublishConfigSaysWhatIsCommittedWhenRedisIsGone(t *testing.T) {
	server := httptest.NewServer(&controller{status: http.StatusOK, answer: committed})
	defer server.Close()
	got := run(t, "{}", "publish-config", "--server", server.URL, "--bus", "redis://127.0.0.1:1", "payments/limits")
	if got.code != 7 || strings.TrimSpace(got.out) != committed || !strings.Contains(got.failed, "committed as revision 42") {
		t.Errorf("got %+v", got)
	}
}

func TestAnnounceOverPubSub(t *testing.T) {
	redis := eventstest.Redis(t)
	heard := redis.Client().Subscribe(t.Context(), "eu.config-changed")
	defer func() { _ = heard.Close() }()
	if _, err := heard.Receive(t.Context()); err != nil { // the subscription is in place
		t.Fatal(err)
	}
	got := run(t, "", "announce", "--bus", "redis+pubsub://"+redis.Addr()+"/?prefix=eu%2E", "--revision", "7", "payments")
	if got.code != 0 || got.out != "1\n" {
		t.Fatalf("got %+v", got)
	}
	message, err := heard.ReceiveTimeout(t.Context(), 10*time.Second)
	if err != nil || !strings.Contains(message.(interface{ String() string }).String(), `"revision":7`) {
		t.Errorf("heard %v, %v", message, err)
	}
}

func TestAnnounceTakesAPasswordFromTheURL(t *testing.T) {
	redis := eventstest.Redis(t, "--requirepass", "p@ss:w%rd")
	if got := run(t, "", "announce", "--bus", "redis://:p%40ss%3Aw%25rd@"+redis.Addr(), "payments"); got.code != 0 {
		t.Errorf("with the password: %+v", got)
	}
	for _, bus := range []string{redis.URL(), "redis://:wrong@" + redis.Addr()} {
		if got := run(t, "", "announce", "--bus", bus, "payments"); got.code != 8 || strings.Contains(got.failed, "wrong@") {
			t.Errorf("%s: %+v", bus, got)
		}
	}
}

func TestScriptsSayWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		want int
		says string
		args []string
	}{
		{2, "which namespace", []string{"announce"}},
		{2, "--colour", []string{"announce", "--colour", "payments"}},
		{2, "is no name", []string{"announce", "Payments"}},
		{2, "takes a number", []string{"announce", "--revision", "new", "payments"}},
		{2, "takes a value", []string{"announce", "payments", "--bus"}},
		{2, "--bus takes", []string{"announce", "--bus", "kafka://k", "payments"}},
		{7, "can't be reached", []string{"announce", "--bus", "redis://127.0.0.1:1", "payments"}},
		{2, "NAMESPACE/NAME", []string{"publish-config"}},
		{2, "NAMESPACE/NAME", []string{"publish-config", "limits", "limits.json"}},
		{2, "--colour", []string{"publish-config", "--colour", "payments/limits"}},
		{3, "not there", []string{"publish-config", "payments/limits", "no-such-file.json"}},
		{7, "can't be reached", []string{"publish-config", "--server", "http://127.0.0.1:1", "payments/limits"}},
	} {
		got := run(t, "{}", test.args[0], test.args[1:]...)
		if got.code != test.want || got.out != "" || !strings.Contains(got.failed, test.says) {
			t.Errorf("%v: %+v", test.args, got)
		}
	}
	for _, script := range []string{"announce", "publish-config"} {
		if got := run(t, "", script, "--help"); got.code != 0 || !strings.HasPrefix(got.out, "Usage: "+script) {
			t.Errorf("%s --help: %+v", script, got)
		}
	}
}
