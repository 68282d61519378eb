package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/httpapi"
)

func TestWatchBacksOffAndRecovers(t *testing.T) {
	cmd := quietCommand()
	var said bytes.Buffer
	cmd.SetErr(&said)
	c, err := client.New("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{cmd: cmd, client: c}
	down := &client.Unreachable{Server: c.Server(), Reason: "connection refused"}
	for failure := range 40 {
		limit := min(watchCap, watchBackoff<<min(failure, 10))
		if pause := w.pause(down, false); pause < 0 || pause >= limit {
			t.Fatalf("failure %d: a pause of %v, the limit is %v", failure, pause, limit)
		}
	}
	busy := httpapi.NewProblem(http.StatusServiceUnavailable, "unavailable", "closed")
	busy.RetryAfter = time.Minute
	if pause := w.pause(busy, false); pause != time.Minute {
		t.Errorf("Retry-After of a minute: a pause of %v", pause)
	}
	if w.pause(nil, true) != 0 || w.pause(nil, false) != watchRest || w.failures != 0 {
		t.Errorf("after it answered: %d failures", w.failures)
	}
	want := "cannot reach http://127.0.0.1:1: connection refused; trying again\nhttp://127.0.0.1:1 answers again\n"
	if said.String() != want {
		t.Errorf("said %q", said.String())
	}
}

func TestWatchEndsOnWhatNoWaitingMends(t *testing.T) {
	for status, passes := range map[int]bool{401: false, 403: false, 400: false, 500: false, 429: true, 503: true, 502: true} {
		if err := httpapi.NewProblem(status, "code", "detail"); passing(err) != passes {
			t.Errorf("%d: passing is %v", status, !passes)
		}
	}
	if !passing(&client.Unreachable{}) || passing(errors.New("damaged")) {
		t.Error("an outage passes, nonsense does not")
	}
	if !absent(httpapi.NewProblem(404, "not_found", "")) || absent(httpapi.NewProblem(404, "", "")) || absent(nil) {
		t.Error("a 404 of Herald is a namespace that is not written; another one is not")
	}
}

// pagedHistory serves revisions 1 to 9, newest first, three a page: config a in
// the odd ones, b in the even ones. It leaves out those that a name leaves out.
func pagedHistory(asked *[]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RequestURI())
		query := r.URL.Query()
		from := 9
		_, _ = fmt.Sscan(query.Get("before"), &from)
		page, body := []map[string]any{}, map[string]any{}
		for ; from > 0; from-- {
			name := "ba"[from%2:][:1]
			if only := query.Get("name"); only != "" && only != name {
				continue
			}
			if len(page) == 3 {
				query.Set("before", fmt.Sprint(from))
				body["next"] = r.URL.Path + "?" + query.Encode()
				break
			}
			page = append(page, map[string]any{"revision": from, "changes": []map[string]any{{"op": "put", "name": name}}})
		}
		body["revisions"] = page
		_ = httpapi.WriteJSON(w, http.StatusOK, body)
	})
}

func TestHistoryTurnsNoMorePagesThanItNeeds(t *testing.T) {
	for _, c := range []struct {
		args  string
		lines string // the revisions
		pages int
	}{
		{"history payments --limit 2", "9 8", 1},
		{"history payments --limit 4", "9 8 7 6", 2},
		{"history payments", "9 8 7 6 5 4 3 2 1", 3},
		{"history payments/b --limit 2", "8 6", 1},
		{"history payments/a", "9 7 5 3 1", 2},
	} {
		var asked []string
		out, err := call(t, pagedHistory(&asked), strings.Fields(c.args)...)
		var revisions []string
		for line := range strings.Lines(out) {
			revisions = append(revisions, strings.Fields(line)[0])
		}
		if err != nil || strings.Join(revisions[1:], " ") != c.lines || len(asked) != c.pages {
			t.Errorf("%s: revisions %v of pages %v, %v", c.args, revisions, asked, err)
		}
	}
}
