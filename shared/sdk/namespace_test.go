package sdk_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
)

// Settings are what the tests watch of a namespace.
type Settings struct {
	Limits Limits `herald:"limits"`
	Motd   string `herald:"motd,optional"`
	Cached int
}

type configs = map[config.Name]string

func watchAll[T any](t *testing.T, a *agent, options sdk.NamespaceOptions[T]) *sdk.Value[T] {
	t.Helper()
	options.Agent, options.Worker, options.HTTP = "http://agent.test", "w-1", &http.Client{Transport: a}
	options.Logger = slog.New(slog.DiscardHandler)
	w, err := sdk.WatchNamespace(t.Context(), "payments", options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func TestNamespaceIsSeenWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		w := watchAll(t, a, sdk.NamespaceOptions[Settings]{Default: Settings{Motd: "none yet", Cached: 9}})
		if got := w.Load(); got.Motd != "none yet" {
			t.Errorf("before the first snapshot: %+v", got)
		}
		a.serve("E1", 1, configs{"limits": `{"rps":1}`, "motd": `"one"`})
		if err := w.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, at := w.Current(); got != (Settings{Limits{1}, "one", 9}) || at.Revision != 1 {
			t.Errorf("%+v at %d", got, at.Revision)
		}
		torn := make(chan Settings)
		go func() {
			defer close(torn)
			for last := 1; last < 100; time.Sleep(time.Millisecond) {
				got := w.Load()
				last = got.Limits.RPS
				if want := strings.Repeat("x", last); last > 1 && got.Motd != want {
					torn <- got
					return
				}
			}
		}()
		for i := 2; i <= 100; i++ {
			a.serve("E1", config.Revision(i), configs{"limits": `{"rps":` + strconv.Itoa(i) + `}`, "motd": `"` + strings.Repeat("x", i) + `"`})
			time.Sleep(20 * time.Millisecond)
		}
		if got, is := <-torn; is {
			t.Errorf("two revisions in one value: %+v", got)
		}
		if v := a.last(t); v.Revision != 100 || v.Status != config.Applied || v.Namespace != "payments" {
			t.Errorf("verdict %+v", v)
		}
	})
}

func TestNamespaceIsRejectedWhole(t *testing.T) {
	const good = `{"rps":1}`
	for name, c := range map[string]struct {
		configs       configs
		options       sdk.NamespaceOptions[Settings]
		code, message string
	}{
		"a config does not decode": {configs{"limits": good, "motd": `{}`}, sdk.NamespaceOptions[Settings]{}, sdk.CodeDecode, "payments/motd"},
		"a config is missing":      {configs{"limits": "", "motd": `"hi"`}, sdk.NamespaceOptions[Settings]{}, sdk.CodeMissing, "payments/limits"},
		"a config vanished":        {configs{"limits": good}, sdk.NamespaceOptions[Settings]{}, sdk.CodeVanished, "payments/motd"},
		"not valid": {configs{"limits": `{"rps":2}`, "motd": `"hi"`}, sdk.NamespaceOptions[Settings]{Validate: func(s Settings) error {
			if s.Limits.RPS == 2 && s.Motd == "hi" {
				return errors.New("two is no number to say hi with")
			}
			return nil
		}}, sdk.CodeValidate, "say hi"},
		"refused with a code": {configs{"limits": `{"rps":2}`, "motd": `"hi"`}, sdk.NamespaceOptions[Settings]{OnChange: func(old, next Settings) error {
			if old.Limits.RPS == 1 && next.Limits.RPS == 2 {
				return coded{}
			}
			return nil
		}}, "quota", "nobody has"},
		"built with an error": {configs{"limits": `{"rps":2}`, "motd": `"hi"`}, sdk.NamespaceOptions[Settings]{Build: func(c sdk.Configs) (s Settings, err error) {
			if err := c.Decode("limits", &s.Limits); err != nil {
				return s, err
			}
			if s.Limits.RPS == 2 {
				return s, c.Decode("quotas", &s)
			}
			return s, nil
		}}, sdk.CodeMissing, "payments/quotas"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent()
				a.serve("E1", 1, configs{"limits": good, "motd": `"hello"`})
				w := watchAll(t, a, c.options)
				time.Sleep(time.Second)
				before := w.Load()
				a.serve("E1", 2, c.configs)
				time.Sleep(time.Minute)
				if v := a.last(t); v.Revision != 2 || v.Status != config.Rejected || v.Code != c.code || !strings.Contains(v.Message, c.message) {
					t.Errorf("verdict %+v, want %s with %q", v, c.code, c.message)
				}
				if got, at := w.Current(); got != before || at.Revision != 1 || got.Limits.RPS != 1 {
					t.Errorf("runs on %+v at %d, want what stood before", got, at.Revision)
				}
				a.serve("E1", 3, configs{"limits": `{"rps":3}`, "motd": `"bye"`})
				time.Sleep(time.Second)
				if v := a.last(t); v.Revision != 3 || v.Status != config.Applied || w.Load().Limits.RPS != 3 {
					t.Errorf("after the mending: %+v", v)
				}
			})
		})
	}
}

func TestOptionalConfigHasItsDefault(t *testing.T) {
	type shared struct {
		Tags map[string]int `herald:"tags,optional"`
	}
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.serve("E1", 1, configs{"other": `1`})
		initial := shared{Tags: map[string]int{"a": 1}}
		w := watchAll(t, a, sdk.NamespaceOptions[shared]{Default: initial})
		time.Sleep(time.Second)
		if got := w.Load().Tags; got["a"] != 1 {
			t.Errorf("%v", got)
		}
		a.serve("E1", 2, configs{"other": `1`, "tags": `{"b":2}`})
		time.Sleep(time.Second)
		if got := w.Load().Tags; len(got) != 1 || got["b"] != 2 {
			t.Errorf("%v: a config replaces its field whole", got)
		}
		a.serve("E1", 3, configs{"other": `1`, "tags": ``})
		time.Sleep(time.Second)
		if got := w.Load().Tags; len(got) != 1 || got["a"] != 1 || len(initial.Tags) != 1 {
			t.Errorf("%v: a deleted one leaves the default", got)
		}
	})
}

func TestConfigsThatDoNotCountMoveThePositionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, changes := newAgent(), 0
		a.serve("E1", 1, configs{"limits": `{"rps":1}`})
		w := watchAll(t, a, sdk.NamespaceOptions[Settings]{OnChange: func(_, _ Settings) error { changes++; return nil }})
		builds := 0
		all := watchAll(t, a, sdk.NamespaceOptions[int]{Build: func(c sdk.Configs) (n int, _ error) {
			builds++
			for range c.All() {
				n++
			}
			return n, nil
		}})
		time.Sleep(time.Second)
		a.serve("E1", 2, configs{"limits": `{"rps":1}`, "other": `1`})
		time.Sleep(time.Second)
		if _, at := w.Current(); at.Revision != 2 || changes != 1 {
			t.Errorf("at %d after %d changes, want 2 after 1", at.Revision, changes)
		}
		if all.Load() != 2 || builds != 2 {
			t.Errorf("%d configs after %d builds: without tags all of them count", all.Load(), builds)
		}
		a.serve("E1", 3, configs{"limits": `{"rps":1}`, "other": `1`})
		time.Sleep(time.Second)
		if _, at := all.Current(); at.Revision != 3 || builds != 2 {
			t.Errorf("at %d after %d builds: nothing changed but the revision", at.Revision, builds)
		}
	})
}

func TestNamespaceRestartsOnItsLastGood(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.serve("E1", 7, configs{"limits": `{"rps":7}`, "motd": `"seven"`})
		options := sdk.NamespaceOptions[Settings]{StateDir: folder}
		first := watchAll(t, a, options)
		beside := watch(t, a, sdk.Options[Limits]{StateDir: folder})
		time.Sleep(time.Second)
		_, _ = first.Close(), beside.Close()
		a.set(func() { a.away = errors.New("connection refused") })
		second := watchAll(t, a, options)
		if got, at := second.Current(); got != (Settings{Limits{7}, "seven", 0}) || at.Revision != 7 {
			t.Errorf("runs on %+v at %d, want the last good", got, at.Revision)
		}
		if _, err := os.Stat(filepath.Join(folder, "payments", "_namespace", "payments.snapshot")); err != nil {
			t.Error(err)
		}
	})
}

func TestDocumentsOfAllKinds(t *testing.T) {
	type documents struct {
		Text  string         `herald:"text"`
		Bytes []byte         `herald:"bytes"`
		Any   map[string]any `herald:"yaml"`
	}
	entry := func(name config.Name, mediaType, body string) config.Entry {
		return config.Entry{Name: name, Revision: 1, Document: config.Document{MediaType: mediaType, Body: []byte(body)}}
	}
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.newest = config.Seal("payments", config.Position{Epoch: "E1", Revision: 1}, []config.Entry{
			entry("text", "text/plain", "hello\n"), entry("bytes", "application/octet-stream", "\x00\xff"), entry("yaml", "application/yaml", "rps: 5"),
		}, nil)
		watchAll(t, a, sdk.NamespaceOptions[documents]{})
		time.Sleep(time.Second)
		if v := a.last(t); v.Code != sdk.CodeDecode || !strings.Contains(v.Message, "application/yaml") {
			t.Errorf("without a decoder: %+v", v)
		}
		w := watchAll(t, a, sdk.NamespaceOptions[documents]{Decode: func(document []byte, mediaType string, into any) error {
			switch into := into.(type) {
			case *string:
				*into = string(document)
			case *[]byte:
				*into = document
			case *map[string]any:
				*into = map[string]any{mediaType: string(document)}
			}
			return nil
		}})
		time.Sleep(time.Second)
		if got := w.Load(); got.Text != "hello\n" || string(got.Bytes) != "\x00\xff" || got.Any["application/yaml"] != "rps: 5" {
			t.Errorf("with one: %+v", got)
		}
	})
}

func TestTagsThatCannotBe(t *testing.T) {
	type none struct{ Limits Limits }
	type unnamed struct {
		Limits Limits `herald:"Limits"`
	}
	type hidden struct {
		limits Limits `herald:"limits"`
	}
	type twice struct {
		A Limits `herald:"limits"`
		B Limits `herald:"limits,optional"`
	}
	type odd struct {
		Limits Limits `herald:"limits,omitempty"`
	}
	_ = hidden{}.limits
	for name, try := range map[string]func() error{
		"no struct":            tryTags[int],
		"no tag":               tryTags[none],
		"no name":              tryTags[unnamed],
		"a field not exported": tryTags[hidden],
		"one config twice":     tryTags[twice],
		"an unknown option":    tryTags[odd],
	} {
		if err := try(); !errors.Is(err, sdk.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sdk.WatchNamespace(t.Context(), "payments/limits", sdk.NamespaceOptions[Settings]{}); !errors.Is(err, sdk.ErrOptions) {
		t.Errorf("a config instead of a namespace: %v", err)
	}
}

func tryTags[T any]() error {
	w, err := sdk.WatchNamespace(context.Background(), "payments", sdk.NamespaceOptions[T]{})
	if err == nil {
		_ = w.Close()
	}
	return err
}

// A program that ends on what it is given says so before it is gone; one that
// gives up because it ends says nothing.
func TestCloseTellsTheLastVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		reason error
		want   int
	}{
		"rejected":  {errors.New("it crashed"), 1},
		"undecided": {context.Canceled, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent()
				a.serve("E1", 1, configs{"limits": `{"rps":1}`})
				asked, ending := make(chan struct{}), make(chan struct{})
				w := watchAll(t, a, sdk.NamespaceOptions[Settings]{OnChange: func(_, _ Settings) error {
					close(asked)
					<-ending
					return c.reason
				}})
				<-asked
				time.AfterFunc(time.Second, func() { close(ending) }) // while Close waits
				_ = w.Close()
				if told := a.told(); len(told) != c.want {
					t.Errorf("told %+v, want %d", told, c.want)
				}
			})
		})
	}
}
