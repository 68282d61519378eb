package herald_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestLanguages takes the programs out of docs/languages.md and runs each as a
// reader of that page would: it prints a config as it stands, and again once it
// changes, and says nothing of what concerns another config.
func TestLanguages(t *testing.T) {
	page, err := os.ReadFile("docs/languages.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range []struct {
		fence, file, interpreter string
		optional                 bool // whether deploy/test leaves the interpreter to who has it
	}{
		{fence: "sh", file: "watch.sh", interpreter: "bash"},
		{fence: "python", file: "watch.py", interpreter: "python3"},
		{fence: "js", file: "watch.mjs", interpreter: "node", optional: true},
	} {
		t.Run(language.fence, func(t *testing.T) {
			interpreter, err := exec.LookPath(language.interpreter)
			if err != nil && language.optional {
				t.Skipf("%s is not here: install it (Debian: apt-get install nodejs) to try the program", language.interpreter)
			}
			if err != nil {
				t.Fatalf("%v: ./deploy/test installs it", err)
			}
			program := fenced(t, string(page), language.fence)
			if lines := strings.Count(program, "\n"); lines > 35 {
				t.Errorf("%d lines: the page promises about thirty", lines)
			}
			path := filepath.Join(t.TempDir(), language.file)
			if err := os.WriteFile(path, []byte(program), 0o600); err != nil {
				t.Fatal(err)
			}
			watchWith(t, interpreter, path)
		})
	}
}

// watchWith runs a program of the page on payments/limits and changes that.
func watchWith(t *testing.T, interpreter, path string) {
	l := startLoop(t, "", 0)
	put(t, l.controller, "payments/configs/limits", `{"rps":50}`)
	watching := exec.CommandContext(t.Context(), interpreter, path, "payments/limits")
	watching.Env = append(os.Environ(), "HERALD_AGENT="+l.agent)
	watching.Stderr = os.Stderr
	out, err := watching.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watching.Start(); err != nil {
		t.Fatal(err)
	}
	printed := make(chan string)
	go func() {
		defer close(printed)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			printed <- lines.Text()
		}
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-printed:
			if got != want {
				t.Fatalf("printed %q, want %q", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s was not printed", want)
		}
	}
	expect(`{"rps":50}`)
	put(t, l.controller, "payments/configs/other", `{"of":"no concern"}`)
	put(t, l.controller, "payments/configs/limits", `{"rps":60}`)
	expect(`{"rps":60}`)
	put(t, l.controller, "payments/configs/limits", `{"rps":70}`)
	expect(`{"rps":70}`)
	_ = watching.Process.Kill()
	if line, more := <-printed; more {
		t.Errorf("printed %q beside the three", line)
	}
	_ = watching.Wait()
}

// fenced returns the first block of that language on a page.
func fenced(t *testing.T, page, language string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)\n```" + language + "\n(.*?)```").FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no block of %s", language)
	}
	return found[1]
}
