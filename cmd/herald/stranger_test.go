package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/httpapi"
)

// asking are calls of every command that asks a server.
func asking(t *testing.T) [][]string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "limits.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return [][]string{
		{"put", "payments/limits", file},
		{"get", "payments"},
		{"get", "payments/limits", "-o", "json"},
		{"delete", "payments/limits"},
		{"list"},
		{"list", "payments"},
		{"watch", "payments"},
		{"history", "payments"},
		{"apply", "-n", "payments", dir},
		{"export", "payments", filepath.Join(dir, "out")},
		{"fleet"},
		{"fleet", "payments"},
		{"agents"},
		{"agent", "set", "host-7", "--poll-interval", "5s"},
		{"status"},
	}
}

// Whatever answers in the place of a controller, the outcome is an error that
// says so: never a panic, never a success that was none.
func TestEveryCommandNoticesAStranger(t *testing.T) {
	for _, body := range []string{"<html>welcome</html>", "null", "[]", `{"revision":"x"}`, `{"namespaces":7,"configs":7,"revisions":7,"agents":7}`} {
		stranger := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		for _, args := range asking(t) {
			if args[0] == "get" {
				continue // any bytes may be a document
			}
			out, err := call(t, stranger, args...)
			if err == nil {
				t.Errorf("%v of %s: success: %s", args, body, out)
			}
			if err != nil && exitCode(err) != 1 {
				t.Errorf("%v of %s: code %d: %v", args, body, exitCode(err), err)
			}
		}
	}
}

// A server that refuses everything gives every command the same code.
func TestEveryCommandPassesARefusalOn(t *testing.T) {
	for status, want := range map[int]int{401: 8, 403: 8, 404: 3, 422: 5, 503: 7, 500: 1} {
		server := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			httpapi.WriteProblem(w, httpapi.NewProblem(status, "code", "the reason"))
		})
		for _, args := range asking(t) {
			_, err := call(t, server, args...)
			if err == nil || exitCode(err) != want || !strings.Contains(err.Error(), "the reason") {
				t.Errorf("%v of %d: code %d: %v", args, status, exitCode(err), err)
			}
		}
	}
}

// Nobody there is code 7 for every command.
func TestEveryCommandSaysThatNobodyIsThere(t *testing.T) {
	gone := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, args := range asking(t) {
		_, err := call(t, gone, args...)
		if exitCode(err) != exitUnavailable || !strings.Contains(err.Error(), "the connection broke off; ") {
			t.Errorf("%v: code %d: %v", args, exitCode(err), err)
		}
	}
}
