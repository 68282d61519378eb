package sdk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
)

// coded is an error that brings its own code.
type coded struct{}

func (coded) Error() string { return "a quota that nobody has" }
func (coded) Code() string  { return "quota" }

func TestRejections(t *testing.T) {
	invalid := func(l Limits) error {
		if l.RPS > 100 {
			return errors.New("rps is more than 100")
		}
		return nil
	}
	for name, c := range map[string]struct {
		document      string
		options       sdk.Options[Limits]
		code, message string
	}{
		"not of the type": {`{"rps":"many"}`, sdk.Options[Limits]{}, "decode", "string"},
		"not valid":       {`{"rps":101}`, sdk.Options[Limits]{Validate: invalid}, "validate", "more than 100"},
		"refused": {`{"rps":2}`, sdk.Options[Limits]{OnChange: func(_, now Limits) error {
			if now.RPS == 2 {
				return errors.New("the pool cannot shrink")
			}
			return nil
		}}, "refused", "shrink"},
		"a code of its own": {`{"rps":2}`, sdk.Options[Limits]{Validate: func(l Limits) error {
			if l.RPS == 2 {
				return fmt.Errorf("rps: %w", coded{})
			}
			return nil
		}}, "quota", "nobody has"},
		"a panic": {`{"rps":2}`, sdk.Options[Limits]{Decode: func(document []byte, _ string) (Limits, error) {
			if strings.Contains(string(document), "2") {
				panic("index out of range")
			}
			return Limits{RPS: 1}, nil
		}}, "decode", "panicked: index out of range"},
		"a long reason": {`{"rps":2}`, sdk.Options[Limits]{Validate: func(l Limits) error {
			if l.RPS == 2 {
				return errors.New("x" + strings.Repeat("ü", 5000))
			}
			return nil
		}}, "validate", "üüü"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent()
				a.limits(1, `{"rps":1}`)
				w := watch(t, a, c.options)
				time.Sleep(time.Second)
				a.limits(2, c.document)
				time.Sleep(time.Second)
				v := a.last(t)
				if v.Revision != 2 || v.Status != config.Rejected || v.Code != c.code || !strings.Contains(v.Message, c.message) {
					t.Errorf("verdict %+v, want %s with %q", v, c.code, c.message)
				}
				if len(v.Message) > 1100 || strings.ContainsRune(v.Message, utf8.RuneError) {
					t.Errorf("a message of %d bytes", len(v.Message))
				}
				if _, at := w.Current(); w.Load().RPS != 1 || at.Revision != 1 {
					t.Errorf("runs on %+v at %d, want the last good", w.Load(), at.Revision)
				}
				a.limits(3, `{"rps":3}`)
				time.Sleep(time.Second)
				if v := a.last(t); v.Revision != 3 || v.Status != config.Applied {
					t.Errorf("after the mending: %+v", v)
				}
			})
		})
	}
}

func TestMediaTypeNeedsADecoder(t *testing.T) {
	text := func(s string) *config.Snapshot {
		return config.Seal("payments", config.Position{Epoch: "E1", Revision: 1}, []config.Entry{
			{Name: "limits", Revision: 1, Document: config.Document{MediaType: "text/plain", Body: []byte(s)}},
		}, nil)
	}
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.newest = text("50")
		watch(t, a, sdk.Options[Limits]{})
		time.Sleep(time.Second)
		if v := a.last(t); v.Code != "decode" || !strings.Contains(v.Message, "text/plain") {
			t.Errorf("without a decoder: %+v", v)
		}
		w := watch(t, a, sdk.Options[Limits]{Decode: func(document []byte, mediaType string) (l Limits, err error) {
			if mediaType != "text/plain" {
				t.Errorf("media type %q", mediaType)
			}
			_, err = fmt.Sscan(string(document), &l.RPS)
			return l, err
		}})
		time.Sleep(time.Second)
		if w.Load().RPS != 50 {
			t.Errorf("with a decoder: %+v", w.Load())
		}
	})
}

// Values that validate themselves, one by value, one by pointer.
type (
	byValue   struct{ Low, High int }
	byPointer struct{ Low, High int }
)

func (b byValue) Validate() error    { return order(b.Low, b.High) }
func (b *byPointer) Validate() error { return order(b.Low, b.High) }

func order(low, high int) error {
	if low > high {
		return errors.New("low is above high")
	}
	return nil
}

func TestValueValidatesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent()
		a.limits(1, `{"Low":2,"High":1}`)
		v := watchOf[byValue](t, a)
		p := watchOf[byPointer](t, a)
		time.Sleep(time.Second)
		for _, s := range []sdk.Status{v.Status(), p.Status()} {
			if s.LastRejected == nil || s.LastRejected.Code != sdk.CodeValidate {
				t.Errorf("%+v", s.LastRejected)
			}
		}
		a.limits(2, `{"Low":1,"High":2}`)
		time.Sleep(time.Second)
		if v.Load().High != 2 || p.Load().High != 2 {
			t.Errorf("%+v, %+v", v.Load(), p.Load())
		}
	})
}
