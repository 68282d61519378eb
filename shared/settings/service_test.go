package settings_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/heraldconf/herald/shared/settings"
)

// roleVariable has this binary be a service instead of testing.
const roleVariable = "SETTINGS_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		os.Exit(settings.Main(service().Command(), exitCode))
	}
	os.Exit(m.Run())
}

var errOwn = errors.New("its own reason")

func exitCode(err error) int {
	if errors.Is(err, errOwn) {
		return 7
	}
	return settings.ExitFailed
}

// service is one that says that it runs and stops when it is told to.
func service() settings.Service {
	var listen, mode string
	var token settings.Secret
	return settings.Service{
		Name: "sample", Short: "A sample", Long: "A sample of a service.", Example: "  sample --listen 127.0.0.1:1", Version: "1.2.3",
		Listen: &listen,
		Flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&listen, "listen", "127.0.0.1:8080", "address to serve at")
			flags.StringVar(&mode, "mode", "", "what it does")
			settings.SecretVar(flags, &token, "token", "a secret")
		},
		Run: func(ctx context.Context, logger *slog.Logger) error {
			switch mode {
			case "usage":
				return settings.Usagef("--mode: %w", errors.Join(errors.New("one"), errors.New("two")))
			case "own":
				return fmt.Errorf("failed: %w", errOwn)
			case "fail":
				return errors.New("failed")
			}
			logger.Info("runs", "token", token)
			slog.Debug("by the default logger")
			fmt.Println("ready")
			<-ctx.Done()
			if mode == "stubborn" {
				fmt.Println("stays")
				select {}
			}
			return nil
		},
	}
}

// program is the service as a process of its own.
func program(t *testing.T, environment []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append([]string{roleVariable + "=service"}, environment...)
	return cmd
}

func ran(t *testing.T, environment []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := program(t, environment, args...)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			t.Fatal(err)
		}
	}
	if strings.Contains(out.String()+diagnostics.String(), "hush") {
		t.Errorf("%q: a secret was printed: %s%s", args, &out, &diagnostics)
	}
	return cmd.ProcessState.ExitCode(), out.String(), diagnostics.String()
}

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		environment []string
		args        []string
		code        int
		says        string
	}{
		"unknown flag":      {nil, []string{"--wrong", "--token", hush}, 2, "sample: unknown flag: --wrong (see 'sample --help')\n"},
		"bad value":         {nil, []string{"--log-level"}, 2, "sample: flag needs an argument: --log-level (see 'sample --help')\n"},
		"log level":         {nil, []string{"--log-level", "loud", "--token=" + hush}, 2, "sample: --log-level \"loud\": use debug, info, warn or error\n"},
		"log format":        {[]string{"HERALD_LOG_FORMAT=xml"}, nil, 2, "sample: HERALD_LOG_FORMAT: --log-format \"xml\": use text or json\n"},
		"bad variable":      {[]string{"HERALD_TOKEN_FILE=/nowhere"}, nil, 2, "sample: HERALD_TOKEN_FILE: open /nowhere: no such file or directory\n"},
		"unknown command":   {nil, []string{"halth"}, 2, "sample: unknown command \"halth\" for \"sample\" (see 'sample --help')\n"},
		"one argument more": {nil, []string{"health", "me"}, 2, "sample: unknown command \"me\" for \"sample health\" (see 'sample health --help')\n"},
		"refused settings":  {nil, []string{"--mode=usage"}, 2, "sample: --mode: one; two\n"},
		"failed":            {nil, []string{"--mode", "fail"}, 1, "sample: failed\n"},
		"its own":           {[]string{"HERALD_MODE=own", "HERALD_TOKEN=" + hush}, nil, 7, "sample: failed: its own reason\n"},
		"health, no port":   {nil, []string{"health", "--listen", "127.0.0.1"}, 2, "sample: --listen: address 127.0.0.1: missing port in address\n"},
	} {
		code, stdout, stderr := ran(t, c.environment, c.args...)
		if code != c.code || stderr != c.says || stdout != "" {
			t.Errorf("%s: code %d, %q %q; want %d, %q", name, code, stdout, stderr, c.code, c.says)
		}
	}
	for _, args := range [][]string{{"--help"}, {"health", "--help"}, {"--version"}, {"--token", hush, "-h"}} {
		if code, stdout, stderr := ran(t, nil, args...); code != 0 || stderr != "" || stdout == "" {
			t.Errorf("%q: code %d, %q %q", args, code, stdout, stderr)
		}
	}
	if _, stdout, _ := ran(t, nil, "--help"); !strings.Contains(stdout, "health") || !strings.Contains(stdout, "--log-format") || strings.Contains(stdout, "completion") {
		t.Errorf("%s", stdout)
	}
}

// started starts a service, and returns it once it runs. What it prints goes to
// lines.
func started(t *testing.T, log *bytes.Buffer, mode string) (cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	cmd = program(t, []string{"HERALD_LOG_FORMAT=json", "HERALD_LOG_LEVEL=debug", "HERALD_TOKEN=" + hush}, "--mode", mode)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if lines = bufio.NewScanner(out); !lines.Scan() {
		t.Fatalf("it does not run: %v, log %s", cmd.Wait(), log)
	}
	return cmd, lines
}

func TestSignalStopsCleanly(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		var log bytes.Buffer
		cmd, _ := started(t, &log, "")
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v, log %s", signal, err, &log)
		}
		if text := log.String(); !strings.Contains(text, `"msg":"runs","token":"redacted"`) || !strings.Contains(text, "by the default logger") || strings.Contains(text, "hush") {
			t.Errorf("%s: log %s", signal, text)
		}
	}
}

// Who does not stop in time is ended by the next signal, as any program is. It may
// come a moment too early to count, so it is sent until it does.
func TestAnotherSignalEndsAtOnce(t *testing.T) {
	var log bytes.Buffer
	cmd, lines := started(t, &log, "stubborn")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "stays" {
		t.Fatalf("%q, log %s", lines.Text(), &log)
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	for {
		select {
		case <-again.C:
			_ = cmd.Process.Signal(syscall.SIGTERM)
		case <-ended:
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
				t.Errorf("%v, log %s", cmd.ProcessState, &log)
			}
			return
		}
	}
}

func TestHealth(t *testing.T) {
	answers := func(status int, body string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				t.Errorf("asked for %s", r.URL)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
	}
	server := answers(http.StatusOK, "")
	defer server.Close()
	address := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := []string{"HTTP_PROXY=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1"}
	for _, listen := range []string{address, ":" + port, "0.0.0.0:" + port, "[::]:" + port, "localhost:" + port} {
		if code, stdout, stderr := ran(t, proxy, "health", "--listen", listen); code != 0 || stdout != "ready\n" || stderr != "" {
			t.Errorf("%s: code %d, %q %q", listen, code, stdout, stderr)
		}
		if code, _, stderr := ran(t, []string{"HERALD_LISTEN=" + listen}, "health"); code != 0 {
			t.Errorf("%s by variable: code %d, %q", listen, code, stderr)
		}
	}
	unready := answers(http.StatusServiceUnavailable, "{\"detail\":\"no\"}\n")
	defer unready.Close()
	code, stdout, stderr := ran(t, nil, "health", "--listen", unready.Listener.Addr().String())
	if code != 1 || stdout != "" || stderr != "sample: not ready: 503 Service Unavailable: {\"detail\":\"no\"}\n" {
		t.Errorf("code %d, %q %q", code, stdout, stderr)
	}
	server.Close()
	code, stdout, stderr = ran(t, nil, "health", "--listen", address)
	if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "sample: not ready: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("code %d, %q %q", code, stdout, stderr)
	}
}

// Whoever takes the connection and says nothing is not ready either.
func TestHealthDoesNotWaitForEver(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	before := time.Now()
	code, _, stderr := ran(t, nil, "health", "--listen", silent.Addr().String())
	if code != 1 || time.Since(before) > 10*time.Second || strings.Count(stderr, "\n") != 1 {
		t.Errorf("code %d after %s, %q", code, time.Since(before), stderr)
	}
}
