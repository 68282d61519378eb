package config_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/heraldconf/herald/shared/config"
)

var day = time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)

func ids(keys config.Keys) []string {
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}

func TestKeysAreReadAsTheyAreWritten(t *testing.T) {
	keys, _ := chainOf(4)
	got, err := config.ParseKeys(keys.Encode())
	if err != nil || !slices.Equal(ids(got), ids(keys)) || got.Chained() != nil || !bytes.Equal(got.Encode(), keys.Encode()) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := config.ParseKeys([]byte(`{"keys":[],"later":1}`)); err != nil || len(got) != 0 || got.Chained() == nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	keys, _ := chainOf(2)
	good := string(keys.Encode())
	for name, change := range map[string][2]string{
		"nothing": {good, ``}, "no object": {good, `[]`}, "no keys": {`"keys"`, `"others"`}, "null": {good, `{"keys":null}`},
		"another algorithm": {`"ed25519"`, `"rsa"`}, "another name": {keys[0].ID, keys[1].ID}, "a name of its own": {`"id":"` + keys[0].ID, `"id":"mine`},
		"a short key": {`"public":"`, `"public":"AAAA","public":"AAAA","x":"`}, "not base64": {`"public":"`, `"public":"???`},
		"half a signature": {`"sig":"`, `"sig":"AAAA","x":"`}, "a signature of nobody": {`"signed_by":"` + keys[1].ID + `",`, ``},
		"twice": {`{"keys":[`, `{"keys":[` + good[len(`{"keys":[`):len(good)-len("]}\n")] + `,`}, "no time": {`"since":"2026`, `"since":"soon`},
	} {
		body := strings.Replace(good, change[0], change[1], 1)
		if body == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if got, err := config.ParseKeys([]byte(body)); !errors.Is(err, config.ErrKeys) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := config.ParseKeys(bytes.Repeat([]byte(" "), config.MaxKeysBody+1)); !errors.Is(err, config.ErrKeys) {
		t.Errorf("endless: %v", err)
	}
}

// A chain is whole, in order, and each link is real.
func TestChained(t *testing.T) {
	keys, private := chainOf(4)
	stranger := config.NewKey(publicOf(keyOf(99)), day)
	forged := func() config.Keys { // the third key, signed by somebody else in the name of the second
		forged := slices.Clone(keys)
		forged[1].Sig = ed25519.Sign(keyOf(99), forged[1].SigningInput())
		return forged
	}
	cycle := slices.Clone(keys)
	cycle[3].SignedBy, cycle[3].Sig = keys[0].ID, ed25519.Sign(private[3], cycle[3].SigningInput())
	for name, c := range map[string]struct {
		keys config.Keys
		good bool
	}{
		"whole": {keys, true}, "the first alone": {keys[3:], true}, "the older ones": {keys[1:], true},
		"empty": {nil, false}, "without its first": {keys[:3], false}, "a link missing": {slices.Delete(slices.Clone(keys), 1, 2), false},
		"swapped": {config.Keys{keys[0], keys[2], keys[1], keys[3]}, false}, "reversed": {config.Keys{keys[3], keys[2], keys[1], keys[0]}, false},
		"forged": {forged(), false}, "a cycle": {cycle, false}, "a stranger on top": {append(config.Keys{stranger}, keys...), false},
	} {
		if err := c.keys.Chained(); (err == nil) != c.good || (err != nil && !errors.Is(err, config.ErrKeys)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExtend(t *testing.T) {
	keys, private := chainOf(5)
	known := keys[4:] // the first
	forged := slices.Clone(keys)
	forged[2].Sig = ed25519.Sign(keyOf(99), forged[2].SigningInput())
	stranger := config.Keys{config.NewKey(publicOf(keyOf(98)), day)}.Succeeded(keyOf(98), publicOf(keyOf(99)), day)
	renamed := slices.Clone(stranger)
	renamed[0].SignedBy = known[0].ID // claims what is not so
	cycle := slices.Clone(stranger)
	cycle[1].SignedBy, cycle[1].Sig = cycle[0].ID, ed25519.Sign(keyOf(99), cycle[1].SigningInput())
	other := slices.Clone(keys)
	other[3].Public = stranger[0].Public // the second key's name on another key
	for name, c := range map[string]struct {
		offered config.Keys
		want    config.Keys
	}{
		"the whole chain":             {keys, keys},
		"in any order":                {config.Keys{keys[2], keys[0], keys[3], keys[1]}, keys},
		"nothing":                     {nil, known},
		"what is known":               {known, known},
		"a link missing":              {slices.Delete(slices.Clone(keys), 2, 3), keys[3:]},
		"a link forged":               {forged, keys[3:]},
		"another chain":               {stranger, known},
		"another chain that claims":   {renamed, known},
		"a cycle":                     {cycle, known},
		"a known name on another key": {other, known},
		"both":                        {slices.Concat(stranger, keys), keys},
	} {
		got, err := known.Extend(c.offered)
		if err != nil || !slices.Equal(ids(got), ids(c.want)) {
			t.Errorf("%s: %v, want %v: %v", name, ids(got), ids(c.want), err)
		}
	}
	if got, err := keys.Extend(keys[4:]); err != nil || len(got) != 5 {
		t.Errorf("what is known already got lost: %v, %v", ids(got), err)
	}
	// What two successors say is both believed: whoever has a key speaks for it.
	two := config.Keys{known.Succeeded(private[0], publicOf(keyOf(50)), day)[0], known.Succeeded(private[0], publicOf(keyOf(51)), day)[0]}
	if got, err := known.Extend(two); err != nil || len(got) != 3 {
		t.Errorf("%v, %v", ids(got), err)
	}
}

func TestAChainIsBounded(t *testing.T) {
	var private ed25519.PrivateKey
	var keys config.Keys
	for i := range config.MaxKeys + 1 {
		next := ed25519.NewKeyFromSeed(fmt.Appendf(nil, "%032d", i))
		if i == 0 {
			keys = config.Keys{config.NewKey(publicOf(next), day)}
		} else {
			keys = keys.Succeeded(private, publicOf(next), day)
		}
		private = next
	}
	if _, err := config.ParseKeys(keys.Encode()); !errors.Is(err, config.ErrKeys) {
		t.Errorf("parse: %v", err)
	}
	if got, err := keys[config.MaxKeys:].Extend(keys); !errors.Is(err, config.ErrKeys) || got != nil {
		t.Errorf("extend: %d, %v", len(got), err)
	}
	most, err := config.ParseKeys(keys[1:].Encode())
	if err != nil || len(most) != config.MaxKeys {
		t.Errorf("%d, %v", len(most), err)
	}
	if got, err := most[config.MaxKeys-1:].Extend(most); err != nil || len(got) != config.MaxKeys {
		t.Errorf("%d, %v", len(got), err)
	}
}

// Whatever is flipped in a link of the chain, what follows it is not believed.
func TestNoLinkMayBeFlipped(t *testing.T) {
	keys, _ := chainOf(4)
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, 2).Draw(t, "link")
		offered := slices.Clone(keys)
		bit := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
		flip := func(b []byte) []byte {
			b = bytes.Clone(b)
			b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= bit
			return b
		}
		if rapid.Bool().Draw(t, "the key") {
			offered[at].Public = flip(offered[at].Public)
			if rapid.Bool().Draw(t, "renamed") {
				offered[at].ID = config.KeyID(offered[at].Public)
			}
		} else {
			offered[at].Sig = flip(offered[at].Sig)
		}
		got, err := keys[3:].Extend(offered)
		if err != nil || !slices.Equal(ids(got), ids(keys[at+1:])) || offered.Chained() == nil {
			t.Fatalf("%v, %v", ids(got), err)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	keys, _ := chainOf(3)
	f.Add(keys.Encode())
	f.Add(keys[:1].Encode())
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{"keys":[{"id":"a","alg":"ed25519","public":"","since":"2026-11-25T16:00:00Z"}]}`))
	f.Add([]byte(`{"KEYS":[null]}`))
	known := keys[2:]
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := config.ParseKeys(body)
		if err != nil {
			if !errors.Is(err, config.ErrKeys) || list != nil {
				t.Fatalf("%v, %v", list, err)
			}
			return
		}
		again, err := config.ParseKeys(list.Encode())
		if err != nil || !bytes.Equal(again.Encode(), list.Encode()) {
			t.Fatalf("%v: %s", err, list.Encode())
		}
		grown, err := known.Extend(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range grown { // nobody can have made another
			if _, ok := keys.Find(k.ID); !ok {
				t.Fatalf("a key is believed that nobody signed: %s", list.Encode())
			}
		}
	})
}
