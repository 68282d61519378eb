package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// said makes a verdict of a word as in "applied 2 at 5".
func said(t interface{ Fatal(...any) }, word string) Verdict {
	var v Verdict
	var second int64
	if _, err := fmt.Sscanf(word, "%s %d at %d", &v.Status, &v.Revision, &second); err != nil {
		t.Fatal(word, err)
	}
	v.Worker, v.Namespace, v.Epoch, v.At = "w-1", "payments", "E1", time.Unix(second, 0)
	return v
}

func words(vs Verdicts) string {
	var all []string
	for _, v := range vs {
		all = append(all, fmt.Sprintf("%s %d at %d", v.Status, v.Revision, v.At.Unix()))
	}
	return strings.Join(all, ", ")
}

func TestVerdictsStandInTheOrderOfTheirTimes(t *testing.T) {
	for _, c := range []struct {
		name string
		said []string
		want string
	}{
		{"in order", []string{"applied 2 at 1", "rejected 3 at 2", "applied 4 at 3"}, "applied 2 at 1, rejected 3 at 2, applied 4 at 3"},
		{"out of order", []string{"applied 4 at 3", "applied 2 at 1", "rejected 3 at 2"}, "applied 2 at 1, rejected 3 at 2, applied 4 at 3"},
		{"told again", []string{"applied 2 at 1", "rejected 3 at 2", "applied 2 at 1", "rejected 3 at 2"}, "applied 2 at 1, rejected 3 at 2"},
		{"a sign of life", []string{"applied 2 at 1", "applied 2 at 9"}, "applied 2 at 9"},
		{"a sign of life that comes late", []string{"applied 2 at 9", "applied 2 at 1"}, "applied 2 at 9"},
		{"tried again after a restart", []string{"rejected 3 at 1", "applied 2 at 2", "rejected 3 at 3"}, "rejected 3 at 1, applied 2 at 2, rejected 3 at 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var vs Verdicts
			for _, word := range c.said {
				vs, _ = vs.With(said(t, word))
			}
			if got := words(vs); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAppliedVerdictsAreDroppedFirst(t *testing.T) {
	var vs Verdicts
	for i := range MostUnheard {
		status := Applied
		if i%2 == 0 {
			status = Rejected
		}
		vs, _ = vs.With(said(t, fmt.Sprintf("%s %d at %d", status, i+1, i+1)))
	}
	for i, want := range []string{"applied 2 at 2", "applied 4 at 4"} {
		before := words(vs)
		next, dropped := vs.With(said(t, fmt.Sprintf("rejected %d at %d", 100+i, 100+i)))
		if dropped == nil || words(Verdicts{*dropped}) != want || len(next) != MostUnheard || words(vs) != before {
			t.Fatalf("dropped %v of %s, want %s", dropped, before, want)
		}
		vs = next
	}
	var rejected Verdicts
	for i := range MostUnheard {
		rejected, _ = rejected.With(said(t, fmt.Sprintf("rejected %d at %d", i+1, i+1)))
	}
	if _, dropped := rejected.With(said(t, "applied 900 at 900")); dropped == nil || dropped.Revision != 1 {
		t.Errorf("dropped %v: the oldest rejection, where all are; never the newest verdict", dropped)
	}
}

func TestWhatWasHeardIsDone(t *testing.T) {
	var vs Verdicts
	for _, word := range []string{"applied 2 at 1", "rejected 3 at 2"} {
		vs, _ = vs.With(said(t, word))
	}
	heard := vs
	vs, _ = vs.With(said(t, "applied 4 at 3"))
	if got := words(vs.Without(heard)); got != "applied 4 at 3" || len(vs) != 3 {
		t.Errorf("left are %s", got)
	}
	again := Verdicts{said(t, "applied 4 at 9")} // a later one, which nobody has heard
	if got := words(again.Without(vs)); got != "applied 4 at 9" {
		t.Errorf("left are %q", got)
	}
}

// Whatever is said in whatever order: the newest stays, and nothing is beyond bounds.
func TestTheNewestVerdictStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var vs Verdicts
		var newest time.Time
		for range rapid.IntRange(1, 3*MostUnheard).Draw(t, "verdicts") {
			v := said(t, fmt.Sprintf("%s %d at %d", rapid.SampledFrom([]Status{Applied, Rejected}).Draw(t, "status"),
				rapid.IntRange(1, 99).Draw(t, "revision"), rapid.IntRange(0, 99).Draw(t, "second")))
			if v.At.After(newest) {
				newest = v.At
			}
			vs, _ = vs.With(v)
			if len(vs) > MostUnheard || !vs[len(vs)-1].At.Equal(newest) {
				t.Fatalf("%d verdicts, the last %v, the newest of %v", len(vs), vs[len(vs)-1], newest)
			}
			for i := range vs[1:] {
				if vs[i+1].At.Before(vs[i].At) {
					t.Fatalf("out of order: %s", words(vs))
				}
			}
		}
	})
}
