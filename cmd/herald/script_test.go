package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what must happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"herald": main}) }

// Each script has a controller of its own, which HERALD_SERVER names.
func TestScripts(t *testing.T) {
	scripts := &stage{t: t}
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "script"),
		Setup: scripts.setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"until":      until,
			"begin":      begin,
			"says":       says,
			"ended":      ended,
			"end":        end,
			"ends":       ends,
			"terminal":   onTerminal,
			"types":      types,
			"signal":     sendSignal,
			"port":       freePort,
			"serves":     serves,
			"controller": runController,
			"agent":      runAgent,
			"stopped":    stopAgent,
			"worker":     runWorker,
			"verdict":    tellVerdict,
			"fake":       fake,
			"redis":      scripts.redis,
			"bytes":      makeBytes,
			"etag":       keepETag,
			"keep":       keepLine,
			"member":     keepMember,
			"tamper":     tamper,
		},
		Condition: func(condition string) (bool, error) {
			if condition == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

type stage struct{ t *testing.T }

// bytes FILE SIZE: a file of that many bytes, all values among them.
func makeBytes(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), body, 0o600))
}

// etag: ETAG becomes the one in the last command's JSON.
func keepETag(ts *testscript.TestScript, _ bool, _ []string) {
	var said struct {
		ETag string `json:"etag"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &said))
	ts.Setenv("ETAG", said.ETag)
}

// keep NAME: the variable becomes what the last command wrote.
func keepLine(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// member MEMBER NAME: the variable becomes that member of the last command's JSON.
func keepMember(ts *testscript.TestScript, _ bool, args []string) {
	var said map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &said))
	ts.Setenv(args[1], fmt.Sprint(said[args[0]]))
}

// tamper FILE: its SQL changes the controller's database behind its back.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite3", filepath.Join(worldOf(ts).dir, ".controller", "controller.db"))
	ts.Check(err)
	defer func() { _ = db.Close() }()
	result, err := db.Exec(ts.ReadFile(args[0]))
	ts.Check(err)
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		ts.Fatalf("nothing was changed: %v", err)
	}
}

// exits CODE COMMAND…: runs it and sees it end with that code and, unless it is 0,
// with one line of an error on standard error, after what else stands there.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("it ended with code %d", code)
	}
	if said := ts.ReadFile("stderr"); code != 0 && strings.Count(said, "herald: ") != 1 {
		ts.Fatalf("not one line that says what is wrong: %q", said)
	}
}

// until REGEXP COMMAND…: runs it again and again until its output matches, or with a
// ! before it, until it does not.
func until(ts *testscript.TestScript, not bool, args []string) {
	wanted := regexp.MustCompile(args[0])
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && wanted.MatchString(ts.ReadFile("stdout")) != not {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no output as wanted of %s within %s", args[0], patience)
		}
	}
}

// Every exit code that there is now is provoked by a script.
func TestScriptsProvokeEveryExitCode(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	var seen []string
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^exits (\d) `).FindAllStringSubmatch(string(text), -1) {
			seen = append(seen, match[1])
		}
	}
	for code := range 9 {
		if !slices.Contains(seen, fmt.Sprint(code)) {
			t.Errorf("no script ends a herald with code %d", code)
		}
	}
}
