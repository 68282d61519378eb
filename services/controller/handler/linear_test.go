package handler_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/heraldconf/herald/shared/config"
)

// absent is the value of a config that is not there.
const absent = -1

// An asked is a request about one config whose document is a number.
type asked struct {
	op    string // get, put or delete
	value int    // that is put
	match *int   // which value must stand there; nil for any
}

// A told is the answer.
type told struct {
	status, revision, value int
}

// A counter is what the clients of these tests see: one config, with no contract
// checked on the way, since they are many and quick.
type counter struct {
	routes http.Handler
	clock  func() int64
}

func newCounter(routes http.Handler) counter {
	began := time.Now()
	return counter{routes, func() int64 { return int64(time.Since(began)) }}
}

const counterPath = "/v1/namespaces/ledger/configs/counter"

// etagOf is the ETag of a number's document, which is unlike any other's.
func etagOf(value int) string {
	return config.Document{MediaType: "application/json", Body: []byte(strconv.Itoa(value))}.ETag().Quoted("")
}

func (c counter) do(t *testing.T, client int, in asked) porcupine.Operation {
	method, body := http.MethodGet, ""
	switch in.op {
	case "put":
		method, body = http.MethodPut, strconv.Itoa(in.value)
	case "delete":
		method = http.MethodDelete
	}
	r := httptest.NewRequestWithContext(t.Context(), method, counterPath, strings.NewReader(body))
	if in.match != nil {
		r.Header.Set("If-Match", etagOf(*in.match))
	}
	w := httptest.NewRecorder()
	call := c.clock()
	c.routes.ServeHTTP(w, r)
	out := told{status: w.Code, value: absent}
	done := c.clock()
	out.revision, _ = strconv.Atoi(w.Header().Get("Herald-Revision"))
	if in.op == "get" && w.Code == http.StatusOK {
		out.value, _ = strconv.Atoi(w.Body.String())
	}
	return porcupine.Operation{ClientId: client, Input: in, Output: out, Call: call, Return: done}
}

// A standing is the state of the model: a config, and the namespace's revision.
type standing struct{ revision, value int }

// next is what the protocol says of one request, asked alone.
func (s standing) next(in asked) (told, standing) {
	matches := in.match == nil || (s.value != absent && *in.match == s.value)
	switch {
	case in.op == "get" && s.value == absent, in.op == "delete" && s.value == absent && matches:
		return told{status: http.StatusNotFound, value: absent}, s
	case in.op == "get":
		return told{http.StatusOK, s.revision, s.value}, s
	case !matches:
		return told{status: http.StatusPreconditionFailed, value: absent}, s
	case in.op == "delete":
		return told{http.StatusOK, s.revision + 1, absent}, standing{s.revision + 1, absent}
	case in.value == s.value:
		return told{http.StatusOK, s.revision, absent}, s
	case s.value == absent:
		return told{http.StatusCreated, s.revision + 1, absent}, standing{s.revision + 1, in.value}
	}
	return told{http.StatusOK, s.revision + 1, absent}, standing{s.revision + 1, in.value}
}

var sequential = porcupine.Model{
	Init: func() any { return standing{0, absent} },
	Step: func(state, input, output any) (bool, any) {
		out, next := state.(standing).next(input.(asked))
		return out == output.(told), next
	},
	Equal: func(a, b any) bool { return a == b },
}

// together runs clients at once and returns all that they did.
func together(clients int, run func(client int) []porcupine.Operation) []porcupine.Operation {
	histories := make([][]porcupine.Operation, clients)
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() { histories[client] = run(client) })
	}
	group.Wait()
	return slices.Concat(histories...)
}

func checkLinear(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(sequential, history, time.Minute)
}

// TestIncrementsByCompareAndSet: of 16 writers who count up together no increment
// is lost and none is counted twice; each is one commit, and no revision is left out.
func TestIncrementsByCompareAndSet(t *testing.T) {
	const writers, increments = 16, 100
	s := newSite(t)
	c := newCounter(s.routes)
	s.put("ledger/configs/counter", "0")
	var mu sync.Mutex
	var attempts atomic.Int64
	acknowledged := map[int]int{} // by revision, how often
	history := together(writers, func(client int) (done []porcupine.Operation) {
		for made := 0; made < increments; {
			read := c.do(t, client, asked{op: "get"})
			seen := read.Output.(told).value
			wrote := c.do(t, client, asked{op: "put", value: seen + 1, match: new(seen)})
			attempts.Add(1)
			switch out := wrote.Output.(told); out.status {
			case http.StatusOK:
				done = append(done, read, wrote) // the others are too many for the checker
				made++
				mu.Lock()
				acknowledged[out.revision]++
				mu.Unlock()
			case http.StatusPreconditionFailed: // somebody else was quicker
			default:
				t.Errorf("status %d", out.status)
				return done
			}
		}
		return done
	})
	for i := range writers * increments {
		if n := acknowledged[i+2]; n != 1 {
			t.Errorf("revision %d was acknowledged %d times", i+2, n)
		}
	}
	if body := s.ask("GET", counterPath, "").Body.String(); body != strconv.Itoa(writers*increments) {
		t.Errorf("the counter stands at %s", body)
	}
	commits := s.commits("ledger")
	if len(commits) != writers*increments+1 {
		t.Errorf("%d commits", len(commits))
	}
	for i, commit := range commits {
		if commit.Revision != len(commits)-i || len(commit.Changes) != 1 {
			t.Fatalf("the %dth commit is %+v", i, commit)
		}
	}
	first := porcupine.Operation{Input: asked{op: "put", value: 0}, Output: told{http.StatusCreated, 1, absent}, Call: -2, Return: -1}
	if result := checkLinear(append(history, first)); result != porcupine.Ok {
		t.Errorf("%d operations: %s", len(history), result)
	}
	t.Logf("%d increments in %d attempts", writers*increments, attempts.Load())
}

// commits are all that history lists, newest first.
func (s *site) commits(namespace string) (all []listed) {
	for path := "/v1/namespaces/" + namespace + "/revisions?limit=1000"; path != ""; {
		page := decode[struct {
			Revisions []listed
			Next      string
		}](s.ask("GET", path, "").expect(200))
		all, path = append(all, page.Revisions...), page.Next
	}
	return all
}

type listed struct {
	Revision int
	Changes  []struct{ Name string }
}

// TestWritesAreLinearizable: whatever several clients read, put, compare and
// delete at once could have been asked one after the other.
func TestWritesAreLinearizable(t *testing.T) {
	if result := checkLinear(mixed(t, newSite(t).routes)); result != porcupine.Ok {
		t.Error(result)
	}
}

// TestLinearizabilityCanFail: the checker sees a server that now and then answers
// a read with what stood there before.
func TestLinearizabilityCanFail(t *testing.T) {
	routes := newSite(t).routes
	var mu sync.Mutex
	var before *httptest.ResponseRecorder
	stale := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		routes.ServeHTTP(answer, r)
		if r.Method == http.MethodGet && answer.Code == http.StatusOK {
			mu.Lock()
			if before == nil || rand.IntN(4) == 0 {
				before = answer
			}
			answer = before
			mu.Unlock()
		}
		w.Header().Set("Herald-Revision", answer.Header().Get("Herald-Revision"))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
	if result := checkLinear(mixed(t, stale)); result != porcupine.Illegal {
		t.Errorf("a stale read passes: %s", result)
	}
}

// mixed is what 8 clients do and hear.
func mixed(t *testing.T, routes http.Handler) []porcupine.Operation {
	c := newCounter(routes)
	return together(8, func(client int) (done []porcupine.Operation) {
		chance := rand.New(rand.NewPCG(7, uint64(client)))
		for i := range 80 {
			in := asked{op: "get"}
			switch dice := chance.IntN(10); {
			case dice < 3:
				in = asked{op: "put", value: client*1000 + i}
			case dice < 6:
				last := chance.IntN(8)*1000 + i - 1
				in = asked{op: "put", value: client*1000 + i, match: new(last)}
			case dice < 7:
				in = asked{op: "delete"}
			}
			done = append(done, c.do(t, client, in))
		}
		return done
	})
}

// TestACommitIsSeenWhole: two configs that change in one commit are never seen
// apart, and nobody is led backwards.
func TestACommitIsSeenWhole(t *testing.T) {
	const commits, readers = 100, 8
	s := newSite(t)
	commit := func(i int) {
		body := fmt.Sprintf(`{"changes":[{"op":"put","name":"left","value":%d},{"op":"put","name":"right","value":%d}]}`, i, i)
		w := httptest.NewRecorder()
		s.routes.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v1/namespaces/ledger/commits", strings.NewReader(body)))
		if w.Code != http.StatusCreated {
			t.Errorf("commit %d: %d %s", i, w.Code, w.Body)
		}
	}
	commit(1)
	over := make(chan struct{})
	var group sync.WaitGroup
	for range readers {
		group.Go(func() { s.watchPair(over, 2) })
	}
	for i := 2; i <= commits; i++ {
		commit(i)
	}
	close(over)
	group.Wait()
}

// watchPair reads the snapshot until it is over, and must have seen so many.
func (s *site) watchPair(over <-chan struct{}, atLeast int) {
	var last, seen int
	for {
		w := httptest.NewRecorder()
		s.routes.ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), "GET", "/v1/namespaces/ledger/snapshot", http.NoBody))
		var snapshot struct {
			Revision int
			Configs  struct{ Left, Right struct{ Revision, Value int } }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &snapshot); err != nil {
			s.t.Error(err)
			return
		}
		if left, right := snapshot.Configs.Left, snapshot.Configs.Right; left != right || left.Value != snapshot.Revision || snapshot.Revision < last {
			s.t.Errorf("after revision %d: %s", last, w.Body)
			return
		}
		if snapshot.Revision > last {
			last, seen = snapshot.Revision, seen+1
		}
		select {
		case <-over:
			if seen < atLeast {
				s.t.Errorf("a reader has seen %d revisions alone", seen)
			}
			return
		default:
		}
	}
}
