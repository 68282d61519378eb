package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

func TestFilePaths(t *testing.T) {
	for _, c := range []struct {
		to string
		ok bool
	}{
		{"/etc/nginx/nginx.conf", true}, {"/a", true},
		{"etc/nginx.conf", false}, {"", false}, {"/", false}, {"/etc/../shadow", false}, {"/etc//x", false}, {"/etc/x/", false}, {"/etc/./x", false},
		{"/etc/with space", false}, {"/etc/ü", false}, {"/" + strings.Repeat("a", 247), true}, {"/" + strings.Repeat("a", 248), false},
	} {
		if err := domain.CheckFilePath("host-7", c.to); (err == nil) != c.ok {
			t.Errorf("%.30q: %v", c.to, err)
		}
	}
}

func TestRootOf(t *testing.T) {
	roots := []string{"/etc/nginx", "/etc", "/srv"}
	for to, want := range map[string]string{
		"/etc/nginx/nginx.conf": "/etc/nginx", "/etc/nginx.conf": "/etc", "/etc/nginxes/a": "/etc",
		"/srv": "", "/srvs/a": "", "/var/a": "",
	} {
		if root, ok := domain.RootOf(to, roots); root != want || ok != (want != "") {
			t.Errorf("%s lies in %q, %v; want %q", to, root, ok, want)
		}
	}
	if root, ok := domain.RootOf("/var/a", []string{"/"}); root != "/" || !ok {
		t.Errorf("nothing lies in /: %q", root)
	}
}

func TestCheckCommandNamesTheNewFile(t *testing.T) {
	f := domain.File{Check: []string{"check", "--config={}", "{}", "-v"}}
	if got := fmt.Sprint(f.CheckCommand("/x/.y")); got != "[check --config=/x/.y /x/.y -v]" {
		t.Error(got)
	}
	if f.Check[1] != "--config={}" {
		t.Error("the file's own command was changed")
	}
}

func TestVersionsDifferInModeAndContent(t *testing.T) {
	a := domain.Version{Present: true, Mode: 0o644, Content: []byte("a")}
	others := map[string]domain.Version{
		"mode": {Present: true, Mode: 0o600, Content: []byte("a")}, "content": {Present: true, Mode: 0o644, Content: []byte("b")},
		"presence": {}, "emptiness": {Present: true, Mode: 0o644},
	}
	for what, other := range others {
		if a.Digest() == other.Digest() {
			t.Errorf("the same digest for another %s", what)
		}
	}
	if a.Digest() != (domain.Version{Present: true, Mode: 0o644, Content: []byte("a")}).Digest() {
		t.Error("the digest changes by itself")
	}
}

// What a version replaced that never settled is what to go back to, also from the
// one that replaces it in turn.
func TestTrialsGoBackToWhatSettled(t *testing.T) {
	version := func(s string) domain.Version { return domain.Version{Present: true, Mode: 0o644, Content: []byte(s)} }
	record := domain.FileRecord{Path: "/f"}.Trial(version("1"), version("2"))
	if record.Former.Digest() != version("1").Digest() || record.Settled != "" {
		t.Fatalf("%+v", record)
	}
	again := record.Trial(version("2"), version("3")) // killed before 2 settled
	if again.Former.Digest() != version("1").Digest() {
		t.Errorf("goes back to %q", again.Former.Content)
	}
	byHand := record.Trial(version("hand"), version("3")) // somebody else wrote meanwhile
	if byHand.Former.Digest() != version("hand").Digest() {
		t.Errorf("goes back to %q", byHand.Former.Content)
	}
	settled := record.Settle(version("2"))
	if settled.Settled != version("2").Digest() || settled.Trying != "" || settled.Former.Present {
		t.Errorf("%+v", settled)
	}
	if next := settled.Trial(version("2"), version("3")); next.Former.Digest() != version("2").Digest() {
		t.Errorf("goes back to %q", next.Former.Content)
	}
}

func TestWords(t *testing.T) {
	long := strings.Repeat("ü", 3000)
	for _, c := range []struct{ output, want string }{
		{"", ""}, {"one\n", "one"}, {"one\n\n  two\n", "one | two"}, {"a\x1b[31mred\x07\rb\x00", "a[31mredb"}, {"a\xffb\tc", "ab c"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", "1 | … | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12"},
		{"\u202eevil", "evil"},
	} {
		if got := domain.Words(c.output); got != c.want {
			t.Errorf("%q: %q", c.output, got)
		}
	}
	if got := domain.Words(long); len(got) > 1100 || !utf8.ValidString(got) || !strings.HasPrefix(got, "ü") || !strings.Contains(got, "ü … ü") {
		t.Errorf("%d bytes: %.20q", len(got), got)
	}
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(a, b config.Revision) domain.Positions {
	return domain.Positions{"a": {Epoch: "01", Revision: a}, "b": {Epoch: "01", Revision: b}}
}

// verdicts are the newest, as in a@5 applied.
func verdicts(s domain.FileStanding) string {
	var all []string
	for _, v := range s.Reports() {
		all = append(all, fmt.Sprintf("%s@%d %s", v.Namespace, v.Revision, strings.TrimSpace(string(v.Status)+" "+v.Code)))
	}
	return strings.Join(all, ", ")
}

func TestStandingOfAFile(t *testing.T) {
	s := domain.NewFileStanding("host-7:/f")
	if !s.Due(at(5, 7), noon) || s.State != domain.FileWaiting || len(s.Reports()) != 0 {
		t.Fatalf("%+v", s)
	}
	refused := domain.Refused(domain.CodeCheck, "no")
	for _, step := range []struct {
		tried domain.Positions
		err   error
		want  string
	}{
		{at(5, 7), refused, "a@5 rejected check_failed, b@7 rejected check_failed"}, // nothing ran before
		{at(6, 7), nil, "a@6 applied, b@7 applied"},
		{at(7, 7), refused, "a@7 rejected check_failed, b@7 applied"}, // b@7 is what it runs on
		{at(7, 8), fmt.Errorf("write: %w", refused), "a@7 rejected check_failed, b@8 rejected check_failed"},
		{at(7, 9), nil, "a@7 applied, b@9 applied"},
	} {
		s = s.Observe(step.tried, step.err, noon, noon.Add(250*time.Millisecond))
		if got := verdicts(s); got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
		if s.Due(step.tried, noon.Add(24*time.Hour)) {
			t.Errorf("the same is tried again after %s", step.want)
		}
		if v := s.Reports()[0]; v.Worker != "host-7:/f" || v.TookMS != 250 || v.At != noon.Add(250*time.Millisecond) || v.Epoch != "01" {
			t.Errorf("%+v", v)
		}
	}
	if !s.Due(at(8, 9), noon) || !s.Due(domain.Positions{"a": {Epoch: "02", Revision: 7}, "b": {Epoch: "01", Revision: 9}}, noon) {
		t.Error("what is new is not tried")
	}
	if s.State != domain.FileApplied || s.Refusal != (domain.Refusal{}) {
		t.Errorf("%+v", s)
	}
}

// A full disk is no revision's fault: the same is tried again, ever more seldom.
func TestTheDisksFaultsAreTriedAgain(t *testing.T) {
	s := domain.NewFileStanding("w")
	now, waits := noon, []time.Duration{}
	for range 9 {
		s = s.Observe(at(1, 1), errors.New("disk full"), now, now)
		if s.Refusal.Code != domain.CodeWrite || s.Due(at(1, 1), s.Retry.Add(-1)) || !s.Due(at(1, 1), s.Retry) {
			t.Fatalf("%+v", s)
		}
		waits = append(waits, s.Retry.Sub(now))
		now = s.Retry
	}
	if got := fmt.Sprint(waits); got != "[1s 2s 4s 8s 16s 32s 1m0s 1m0s 1m0s]" {
		t.Error(got)
	}
	s = s.Observe(at(1, 1), nil, now, now)
	if !s.Retry.IsZero() || s.Failures != 0 || verdicts(s) != "a@1 applied, b@1 applied" {
		t.Errorf("once there was room: %+v", s)
	}
}

// An earlier standing that somebody holds is not changed by what follows.
func TestStandingsAreValues(t *testing.T) {
	before := domain.NewFileStanding("w").Observe(at(1, 1), nil, noon, noon)
	before.Observe(at(2, 2), domain.Refused("x", "y"), noon, noon)
	if verdicts(before) != "a@1 applied, b@1 applied" {
		t.Error(verdicts(before))
	}
}
