package controller_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller"
	"github.com/heraldconf/herald/shared/settings"
)

// TestBootstrap: a first start hands out four tokens, which only this user reads; a
// second one does not touch them, and they still count.
func TestBootstrap(t *testing.T) {
	dir, db := filepath.Join(t.TempDir(), "deep", "tokens"), filepath.Join(t.TempDir(), "c.db")
	r := start(t, controller.Config{DB: db, BootstrapDir: dir})
	if status, _ := r.ask("GET", "/v1/namespaces", ""); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	secrets := map[string]string{}
	for _, name := range []string{"admin", "publisher", "agent", "worker"} {
		path := filepath.Join(dir, name+".token")
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Fatalf("%s: %v %v", name, info, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		secrets[name] = strings.TrimSpace(string(text))
	}
	for name, want := range map[string]int{"admin": 200, "publisher": 403, "agent": 403, "worker": 403} {
		if status, said := r.ask("GET", "/v1/tokens", "", "Authorization: Bearer "+secrets[name]); status != want {
			t.Errorf("%s: %d %s", name, status, said)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, controller.Config{DB: db, BootstrapDir: dir})
	if text, err := os.ReadFile(filepath.Join(dir, "admin.token")); err != nil || strings.TrimSpace(string(text)) != secrets["admin"] {
		t.Errorf("the file was written anew: %v", err)
	}
	if status, _ := again.ask("GET", "/v1/tokens", "", "Authorization: Bearer "+secrets["admin"]); status != 200 {
		t.Errorf("after a restart: %d", status)
	}
}

// TestTokensOpenTheWayBeyondLoopback: any of the two settings will do.
func TestTokensOpenTheWayBeyondLoopback(t *testing.T) {
	for name, c := range map[string]controller.Config{
		"a token from outside": {AdminToken: "given-from-outside"},
		"a bootstrap":          {BootstrapDir: filepath.Join(t.TempDir(), "tokens")},
		"said explicitly":      {AllowAnonymous: true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		c.Listen, c.DB, c.PollInterval = "0.0.0.0:0", filepath.Join(t.TempDir(), "c.db"), time.Second
		done := make(chan error, 1)
		var log safeBuffer
		go func() { done <- controller.Run(ctx, c, slog.New(slog.NewTextHandler(&log, nil))) }()
		await(t, name, func() bool { return strings.Contains(log.String(), "controller serves") })
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if warned := strings.Contains(log.String(), "anybody who reaches the address"); warned != c.AllowAnonymous {
			t.Errorf("%s: the log says so: %v", name, warned)
		}
	}
	odd := controller.Config{Listen: "127.0.0.1:0", DB: filepath.Join(t.TempDir(), "c.db"), PollInterval: time.Second, AdminToken: "a b"}
	if err := controller.Run(t.Context(), odd, quiet); err == nil || !strings.Contains(err.Error(), "--admin-token") || strings.Contains(err.Error(), "a b") {
		t.Errorf("a token that no header carries: %v", err)
	}
}

type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// TestNoTokenIsEverWritten goes through all that tokens are for, and looks for each
// of them in all that was written: the log at its loudest, every answer but the one
// that hands it out, and every file but the one that holds it.
func TestNoTokenIsEverWritten(t *testing.T) {
	dir, tokens := t.TempDir(), t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var written safeBuffer
	given := "given-from-outside-4f1c"
	loud := slog.New(slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	before := slog.Default()
	slog.SetDefault(loud)
	defer slog.SetDefault(before)
	c := controller.Config{
		DB: filepath.Join(dir, "c.db"), PollInterval: time.Second, Listener: listener, AdminToken: settings.Secret(given), BootstrapDir: tokens,
	}
	loud.Info("settings", "config", c.AdminToken)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- controller.Run(ctx, c, loud) }()
	r := &running{t: t, url: "http://" + listener.Addr().String()}
	ask := func(method, path, body string, headers ...string) string {
		_, said := r.ask(method, path, body, headers...)
		return said
	}
	admin := "Authorization: Bearer " + given
	secrets := []string{given, "herald_nobodyhasx_wrongwrongwrong"}
	var made struct{ ID, Token string }
	if err := json.Unmarshal([]byte(ask("POST", "/v1/tokens", `{"name":"p","role":"publisher","namespaces":["payments"]}`, admin)), &made); err != nil || made.Token == "" {
		t.Fatal(err)
	}
	secrets = append(secrets, made.Token)
	for _, name := range []string{"admin", "publisher", "agent", "worker"} {
		text, err := os.ReadFile(filepath.Join(tokens, name+".token"))
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, strings.TrimSpace(string(text)))
	}
	round := func() {
		for _, secret := range secrets {
			bearer := "Authorization: Bearer " + secret
			for _, call := range [][3]string{
				{"PUT", "/v1/namespaces/payments/configs/limits", `{"a":1}`}, {"PUT", "/v1/namespaces/secret/configs/limits", `{`},
				{"DELETE", "/v1/namespaces/payments/configs/nobody", ""}, {"GET", "/v1/namespaces/payments/snapshot", ""}, {"GET", "/v1/tokens", ""},
				{"POST", "/v1/tokens", `{"role":"reader"}`}, {"POST", "/v1/agents", `{"id":"host-1"}`}, {"GET", "/v1/agents", ""},
				{"POST", "/v1/agents/host-1/reports", `{}`}, {"GET", "/v1/audit", ""}, {"GET", "/metrics", ""}, {"GET", "/v1/status", ""},
			} {
				written.Write([]byte(ask(call[0], call[1], call[2], bearer, "Idempotency-Key: k-"+call[0])))
			}
		}
	}
	round()
	ask("DELETE", "/v1/tokens/"+made.ID, "", admin)
	round()
	written.Write([]byte(ask("GET", "/v1/audit?limit=1000", "", admin)))
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	everything := []byte(written.String())
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		everything = append(everything, body...)
		return err
	})
	if err != nil || len(everything) < 100_000 || !bytes.Contains(everything, []byte("sign-in")) {
		t.Fatalf("%d bytes were written: %v", len(everything), err)
	}
	for _, secret := range secrets {
		if at := bytes.Index(everything, []byte(secret)); at >= 0 {
			t.Errorf("a token was written: …%q", everything[max(at-200, 0):at])
		}
	}
}
