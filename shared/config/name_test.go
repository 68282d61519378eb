package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

func TestParseName(t *testing.T) {
	for _, s := range []string{"a", "0", "payments", "a.b_c-d", "a..b", strings.Repeat("a", 63), "0-9"} {
		if name, err := config.ParseName(s); err != nil || string(name) != s {
			t.Errorf("%q: %q %v", s, name, err)
		}
	}
	for _, s := range []string{
		"", ".", "..", "-", "_", "a-", "-a", ".a", "a.", "a_", "A", "aB", "ä", "a b", " a", "a ", "a/b", "a\\b", "../a",
		"a\n", "\na", "a\x00", "a%2f", strings.Repeat("a", 64), strings.Repeat("/", 1<<20),
	} {
		name, err := config.ParseName(s)
		if !errors.Is(err, config.ErrInvalidName) || name != "" {
			t.Errorf("%.70q: %q %v", s, name, err)
		}
		if err != nil && (len(err.Error()) > 400 || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%.70q: the error takes %d bytes", s, len(err.Error()))
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"payments", "a-", "..", "a/b", "a\n", strings.Repeat("a", 64)} {
		f.Add(seed)
	}
	const ends = "abcdefghijklmnopqrstuvwxyz0123456789"
	f.Fuzz(func(t *testing.T, s string) {
		want := len(s) >= 1 && len(s) <= 63 && strings.Trim(s, ends+"._-") == "" &&
			strings.Contains(ends, s[:1]) && strings.Contains(ends, s[len(s)-1:])
		if name, err := config.ParseName(s); (err == nil) != want || (err == nil && string(name) != s) {
			t.Fatalf("%q: %q %v", s, name, err)
		}
	})
}

func TestIDs(t *testing.T) {
	for name, c := range map[string]struct {
		check func(string) error
		good  []string
		bad   []string
	}{
		"agent": {
			config.CheckAgentID,
			[]string{"a", "Host-7.example_com", strings.Repeat("A", 128)},
			[]string{"", "a.", "-a", "a b", "a/b", "a\n", "ä", strings.Repeat("A", 129)},
		},
		"worker": {
			config.CheckWorkerID,
			[]string{"w", "/usr/bin/x#1", "~", strings.Repeat("!", 255)},
			[]string{"", " ", "a b", "a\n", "\x7f", "ä", strings.Repeat("w", 256)},
		},
	} {
		for _, id := range c.good {
			if err := c.check(id); err != nil {
				t.Errorf("%s %.40q: %v", name, id, err)
			}
		}
		for _, id := range c.bad {
			if err := c.check(id); !errors.Is(err, config.ErrInvalidName) {
				t.Errorf("%s %.40q: %v", name, id, err)
			}
		}
	}
}

func TestVerdictCheck(t *testing.T) {
	good := config.Verdict{Worker: "w-1", Agent: "host-7", Namespace: "payments", Revision: 42, Epoch: "01J", Status: config.Applied, At: time.Unix(1, 0)}
	rejected := good
	rejected.Status, rejected.Code, rejected.Message = config.Rejected, "decode", "no"
	for _, v := range []config.Verdict{good, rejected} {
		if err := v.Check(); err != nil {
			t.Errorf("%+v: %v", v, err)
		}
		if v.Position() != (config.Position{Epoch: "01J", Revision: 42}) {
			t.Errorf("%+v", v.Position())
		}
	}
	for name, spoil := range map[string]func(*config.Verdict){
		"no worker":      func(v *config.Verdict) { v.Worker = "" },
		"a worker's ID":  func(v *config.Verdict) { v.Worker = "a b" },
		"no namespace":   func(v *config.Verdict) { v.Namespace = "" },
		"bad namespace":  func(v *config.Verdict) { v.Namespace = "../x" },
		"revision 0":     func(v *config.Verdict) { v.Revision = 0 },
		"below zero":     func(v *config.Verdict) { v.Revision = -1 },
		"no status":      func(v *config.Verdict) { v.Status = "" },
		"unknown status": func(v *config.Verdict) { v.Status = "Applied" },
	} {
		v := good
		spoil(&v)
		if err := v.Check(); err == nil {
			t.Errorf("%s passes: %+v", name, v)
		}
	}
	if at := (config.Fetched{Epoch: "E", Revision: 3}).Position(); at != (config.Position{Epoch: "E", Revision: 3}) {
		t.Errorf("%+v", at)
	}
}
