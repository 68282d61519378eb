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

// A signature is kept in the same file; a file of before there were any is read too,
// and one of then that claims a signature is none.
func TestSignaturesAreKeptAndOldFilesAreRead(t *testing.T) {
	s := snapshot("payments", 3)
	s.Signature = config.Signature{KeyID: "abc", Bytes: [64]byte{1, 2, 3}}
	content := lastgood.Encode(s, noon)
	if got, _, err := lastgood.Decode(content); err != nil || got.Signature != s.Signature {
		t.Errorf("%+v, %v", got, err)
	}
	if got, _, err := lastgood.Decode(asBefore(content)); !errors.Is(err, config.ErrDamaged) {
		t.Errorf("signed before there were signatures: %+v, %v", got, err)
	}
	s.Signature = config.Signature{}
	old := asBefore(lastgood.Encode(s, noon))
	if got, confirmed, err := lastgood.Decode(old); err != nil || got.Revision != 3 || got.Signature.Signed() || !confirmed.Equal(noon) {
		t.Errorf("%+v, %v of %s", got, err, old)
	}
}

// asBefore turns a file into one of the first format, its check included.
func asBefore(content []byte) []byte {
	line, body, _ := bytes.Cut(content, []byte{'\n'})
	line = bytes.Replace(line, []byte("herald-snapshot-2"), []byte("herald-snapshot-1"), 1)
	before, _, _ := bytes.Cut(line, []byte(`"check":"`))
	open := append(bytes.Clone(before), `"check":""}`...)
	line = append(bytes.TrimSuffix(open, []byte(`"}`)), (config.DigestOf(open).Hex() + `"}`)...)
	return bytes.Join([][]byte{line, body}, []byte{'\n'})
}

// What is required of a generation decides whether it is loaded, and leaves it there.
func TestWhatIsRequiredIsRequiredAtLoad(t *testing.T) {
	f, err := lastgood.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for revision := range config.Revision(2) {
		if err := f.Save(snapshot("payments", revision+1), noon); err != nil {
			t.Fatal(err)
		}
	}
	refused := errors.New("not this one")
	f.Require(func(s *config.Snapshot) error {
		if s.Revision == 2 {
			return refused
		}
		return nil
	})
	if kept, err := f.Load("payments"); err != nil || kept.Snapshot.Revision != 1 || !kept.Previous || !errors.Is(kept.Damage, refused) {
		t.Errorf("%+v, %v", kept, err)
	}
	f.Require(func(*config.Snapshot) error { return refused })
	if _, err := f.Load("payments"); !errors.Is(err, lastgood.ErrNone) || !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	f.Require(nil)
	if kept, err := f.Load("payments"); err != nil || kept.Snapshot.Revision != 2 {
		t.Errorf("it is gone: %+v, %v", kept, err)
	}
}
