package sdk_test

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/sdk"
)

// signed serves limits with the signature of a key; nil signs nothing.
func (a *agent) signed(revision config.Revision, document string, key ed25519.PrivateKey) {
	s := config.Seal("payments", config.Position{Epoch: "E1", Revision: revision}, []config.Entry{{
		Name: "limits", Revision: revision, Document: config.Document{MediaType: "application/json", Body: []byte(document)},
	}}, nil)
	if key != nil {
		s.Signature = config.Sign(key, s)
	}
	a.set(func() { a.newest = s })
}

func keyOf(seed byte) (ed25519.PrivateKey, ed25519.PublicKey) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return private, private.Public().(ed25519.PublicKey)
}

// TestTrust: a Value that was given keys runs on nothing that they do not vouch
// for, fetched or kept; it follows their chain, and tells no verdict of what may be
// no revision at all.
func TestTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, folder := newAgent(), t.TempDir()
		first, public := keyOf(1)
		second, next := keyOf(2)
		stranger, _ := keyOf(9)
		given := config.Keys{config.NewKey(public, time.Now())}
		listed := given
		a.routes.HandleFunc("GET /v1/signing-keys", func(w http.ResponseWriter, _ *http.Request) {
			a.mu.Lock()
			defer a.mu.Unlock()
			_, _ = w.Write(listed.Encode())
		})
		w := watch(t, a, sdk.Options[Limits]{StateDir: folder, Trust: given})
		a.signed(1, `{"rps":1}`, first)
		if err := w.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, key := range []ed25519.PrivateKey{nil, stranger, second} { // no link leads to the second yet
			a.signed(9_000, `{"rps":9}`, key)
			time.Sleep(time.Minute)
			if got := w.Load().RPS; got != 1 || !strings.Contains(w.Status().Agent.LastError, "signature not verified") {
				t.Fatalf("runs on %d: %+v", got, w.Status())
			}
		}
		a.set(func() { listed = given.Succeeded(first, next, time.Now()) })
		a.signed(2, `{"rps":2}`, second)
		time.Sleep(time.Minute)
		if got := w.Load().RPS; got != 2 {
			t.Errorf("after a rotation it runs on %d: %+v", got, w.Status())
		}
		for _, told := range a.told() {
			if told.Status != config.Applied {
				t.Errorf("a verdict of what nobody signed: %+v", told)
			}
		}
		_ = w.Close()

		// From disk, with the agent away, the chain is still known; other keys are not.
		a.set(func() { a.away = http.ErrServerClosed })
		if got := watch(t, a, sdk.Options[Limits]{StateDir: folder, Trust: given}).Load().RPS; got != 2 {
			t.Errorf("from disk it runs on %d", got)
		}
		_, other := keyOf(9)
		if got := watch(t, a, sdk.Options[Limits]{StateDir: folder, Trust: config.Keys{config.NewKey(other, time.Now())}}).Load().RPS; got != 0 {
			t.Errorf("with other keys it runs on %d from disk", got)
		}
	})
}
