package config_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/heraldconf/herald/shared/config"
)

// keyOf returns the key whose seed is 32 times that byte.
func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// chainOf returns a chain of n keys, newest first, and their private halves in the
// order in which they came.
func chainOf(n int) (config.Keys, []ed25519.PrivateKey) {
	var keys config.Keys
	var private []ed25519.PrivateKey
	for i := range n {
		next := keyOf(byte(i + 1))
		if i == 0 {
			keys = config.Keys{config.NewKey(publicOf(next), day)}
		} else {
			keys = keys.Succeeded(private[i-1], publicOf(next), day)
		}
		private = append(private, next)
	}
	return keys, private
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// docs/protocol.md has this vector for other languages.
func TestSignatureVector(t *testing.T) {
	s, err := config.Open([]byte(`{"namespace":"payments","epoch":"01JDEXAMPLE","revision":42,"configs":{"limits":{"revision":40,"mediaType":"application/json","value":{"rps":50}}},"tombstones":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	const input = "herald-snapshot-v1\n01JDEXAMPLE\npayments\n42\nbca0571b421a8eb6dda574e1f99601d73ee12e1132af374d8428f2879cfc4d82\n"
	if got := string(s.SigningInput()); got != input {
		t.Errorf("%q", got)
	}
	const header = `keyid="6hqgv65tb7ufp53dkhdalfkj7c", sig=:DzZCDobjeidGnJl7sfbg3MeZpIcHMbhtGE1p+aULnu12rc9fTn8mD8Oqb3BRoD1ra/h0Dvp9SteP2nmgwI/WAA==:`
	if got := config.Sign(keyOf(1), s).Header(); got != header {
		t.Errorf("%s", got)
	}
	keys, _ := chainOf(2)
	const list = `{"keys":[{"id":"d8s07lfgb682k73dluu9n93ii8","alg":"ed25519","public":"gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q=",` +
		`"since":"2026-11-25T16:00:00Z","signed_by":"6hqgv65tb7ufp53dkhdalfkj7c",` +
		`"sig":"XqqZTyLUrlmoQfCQWA5LD1Ts9i/rP4Xg29RBoNIXMI5lZFVW/ERKIrnRH1moTF+QW+zxL/9A+Ui6WURmTRzuAg=="},` +
		`{"id":"6hqgv65tb7ufp53dkhdalfkj7c","alg":"ed25519","public":"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=","since":"2026-11-25T16:00:00Z"}]}` + "\n"
	if got := string(keys.Encode()); got != list {
		t.Errorf("%s", got)
	}
}

// Whatever is changed of what is signed, be it one bit, nobody vouches for it.
func TestEveryChangeIsRefused(t *testing.T) {
	keys, private := chainOf(3)
	rapid.Check(t, func(t *rapid.T) {
		s := *anySnapshot.Draw(t, "snapshot")
		s.Signature = config.Sign(private[rapid.IntRange(0, 2).Draw(t, "key")], &s)
		if err := s.Verify(keys); err != nil {
			t.Fatal(err)
		}
		changed, other := s, anySnapshot.Draw(t, "other")
		bit := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0:
			changed.Body = bytes.Clone(s.Body)
			changed.Body[rapid.IntRange(0, len(s.Body)-1).Draw(t, "at")] ^= bit
			changed.Digest = config.DigestOf(changed.Body) // as a proxy would, that knows the protocol
		case 1:
			changed.Signature.Bytes[rapid.IntRange(0, ed25519.SignatureSize-1).Draw(t, "at")] ^= bit
		case 2:
			changed.Epoch += "X"
		case 3:
			changed.Revision++
		case 4:
			changed.Namespace += "x"
		case 5:
			changed.Signature.KeyID = keys[(slices.IndexFunc(keys, func(k config.Key) bool { return k.ID == s.Signature.KeyID })+1)%3].ID
		}
		if err := changed.Verify(keys); !errors.Is(err, config.ErrSignature) || errors.Is(err, config.ErrUnsigned) || errors.Is(err, config.ErrUnknownKey) {
			t.Fatalf("%v", err)
		}
		if other.Signature = s.Signature; !bytes.Equal(other.SigningInput(), s.SigningInput()) && other.Verify(keys) == nil {
			t.Fatal("the signature of one is good for another")
		}
	})
}

func TestWhoVouches(t *testing.T) {
	keys, private := chainOf(2)
	s := *sample()
	if err := s.Verify(keys); !errors.Is(err, config.ErrUnsigned) || !errors.Is(err, config.ErrSignature) {
		t.Errorf("unsigned: %v", err)
	}
	s.Signature = config.Sign(private[1], &s)
	for name, c := range map[string]struct {
		keys config.Keys
		want error
	}{
		"the key":             {keys, nil},
		"a former key":        {keys[1:], config.ErrUnknownKey},
		"nobody":              {nil, config.ErrUnknownKey},
		"a key with no bytes": {config.Keys{{ID: keys[0].ID}}, config.ErrSignature},
	} {
		if err := s.Verify(c.keys); !errors.Is(err, c.want) || (c.want == nil && err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSignature(t *testing.T) {
	good := config.Sign(keyOf(1), sample())
	header := good.Header()
	sig := strings.TrimSuffix(strings.SplitAfter(header, "sig=:")[1], ":")
	for _, same := range []string{header, " " + header + "\t", strings.Replace(header, ", ", ",", 1)} {
		if got, err := config.ParseSignature(same); err != nil || got != good {
			t.Errorf("%q: %v", same, err)
		}
	}
	for name, bad := range map[string]string{
		"nothing": "", "no key": `sig=:` + sig + `:`, "no signature": `keyid="` + good.KeyID + `"`,
		"empty key": `keyid="", sig=:` + sig + `:`, "key in capitals": `keyid="ABC", sig=:` + sig + `:`, "a line": "keyid=\"a\nb\", sig=:" + sig + `:`,
		"endless key": `keyid="` + strings.Repeat("a", 65) + `", sig=:` + sig + `:`, "the other way round": `sig=:` + sig + `:, keyid="a"`,
		"short": `keyid="a", sig=:` + sig[4:] + `:`, "long": `keyid="a", sig=:AAAA` + sig + `:`, "no colons": `keyid="a", sig=` + sig,
		"not padded": `keyid="a", sig=:` + strings.TrimRight(sig, "=") + `:`, "two": header + ", " + header, "parameters": header + ";x=1",
		"loose bits": `keyid="a", sig=:` + sig[:85] + "B==:", "a break": `keyid="a", sig=:` + sig[:4] + "\n" + sig[4:] + `:`, "endless": header + strings.Repeat(" ", 300),
	} {
		if got, err := config.ParseSignature(bad); !errors.Is(err, config.ErrSignature) || got.Signed() || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzParseSignature(f *testing.F) {
	header := config.Sign(keyOf(1), sample()).Header()
	for _, seed := range []string{header, " " + header, header + ":", `keyid="a",sig=:AAAA:`, `keyid="", sig=::`, header[:40], "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		s, err := config.ParseSignature(field)
		if err != nil {
			if !errors.Is(err, config.ErrSignature) || s != (config.Signature{}) {
				t.Fatalf("%q: %v, %v", field, s, err)
			}
			return
		}
		again, err := config.ParseSignature(s.Header())
		if err != nil || again != s || !strings.Contains(field, s.KeyID) {
			t.Fatalf("%q: %v, %v", field, s, err)
		}
	})
}
