package lastgood_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
)

func TestDecodeRefuses(t *testing.T) {
	s := snapshot("payments", 3)
	good := lastgood.Encode(s, noon)
	if got, confirmed, err := lastgood.Decode(good); err != nil || got.Revision != 3 || !confirmed.Equal(noon) {
		t.Fatalf("%+v, %s, %v", got, confirmed, err)
	}
	other := snapshot("search", 3)
	for name, spoil := range map[string]func(*config.Snapshot){
		"another namespace": func(s *config.Snapshot) { s.Namespace = "search" },
		"another epoch":     func(s *config.Snapshot) { s.Epoch = "01K" },
		"another revision":  func(s *config.Snapshot) { s.Revision = 4 },
		"another body":      func(s *config.Snapshot) { s.Body = other.Body },
		"no ETag":           func(s *config.Snapshot) { s.ETag = "" },
		"no snapshot":       func(s *config.Snapshot) { s.Body = []byte("{}"); s.Digest = config.DigestOf(s.Body) },
	} {
		spoilt := *s
		spoil(&spoilt)
		if got, _, err := lastgood.Decode(lastgood.Encode(&spoilt, noon)); !errors.Is(err, config.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good := lastgood.Encode(snapshot("payments", 3), noon)
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte("{}\n{}"))
	f.Add(bytes.Replace(good, []byte(`"format"`), []byte(`"Format"`), 1))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, confirmed, err := lastgood.Decode(content)
		if err != nil {
			if s != nil || !errors.Is(err, config.ErrDamaged) {
				t.Fatalf("%v, %v", s, err)
			}
			return
		}
		if again := lastgood.Encode(s, confirmed); !bytes.Equal(again, content) {
			t.Fatalf("%q\nis written as\n%q", content, again)
		}
	})
}
