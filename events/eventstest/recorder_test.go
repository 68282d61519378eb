package eventstest_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/events/eventstest"
)

// failing is a test that fails: Fatalf ends its goroutine, as the real one does.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// said runs f with a test of its own and returns why it failed.
func said(f func(testing.TB)) string {
	var inner failing
	var wg sync.WaitGroup
	wg.Go(func() { f(&inner) })
	wg.Wait()
	return inner.said
}

func TestRecorderWaitsForWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := eventstest.NewRecorder()
		go func() {
			time.Sleep(time.Second)
			r.Connected()
			r.Handle(t.Context(), []byte("a"))
			time.Sleep(time.Second)
			r.Handle(t.Context(), []byte("b"))
		}()
		r.ExpectConnections(t, 1)
		r.Expect(t, "b", "a")
		r.ExpectCount(t, 2)
		if got := r.Payloads(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("heard %q", got)
		}
	})
}

func TestRecorderFailsWhenNothingComes(t *testing.T) {
	for what, expect := range map[string]func(*eventstest.Recorder, testing.TB){
		`"b" was not heard; heard were ["a"]`: func(r *eventstest.Recorder, t testing.TB) { r.Expect(t, "a", "b") },
		"heard 1 payloads, not 2":             func(r *eventstest.Recorder, t testing.TB) { r.ExpectCount(t, 2) },
		"connected 0 times, not 1":            func(r *eventstest.Recorder, t testing.TB) { r.ExpectConnections(t, 1) },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := eventstest.NewRecorder()
			r.Handle(t.Context(), []byte("a"))
			if got := said(func(t testing.TB) { expect(r, t) }); got != what {
				t.Errorf("it says %q, not %q", got, what)
			}
		})
	}
}
