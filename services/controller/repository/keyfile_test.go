package repository_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/services/controller/repository"
	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

func openKey(t *testing.T, path string) *repository.KeyFile {
	t.Helper()
	key, _, err := repository.OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestAKeyFileIsMadeOnce, readable by its owner alone, and replaced by rotations only.
func TestAKeyFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "c.key")
	first, made, err := repository.OpenKeyFile(path)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	again, made, err := repository.OpenKeyFile(path)
	if err != nil || made || again.Keys()[0].ID != first.Keys()[0].ID {
		t.Errorf("%v, %v", made, err)
	}
	s := config.Seal("payments", config.Position{Epoch: "01A", Revision: 1}, nil, nil)
	before := again.Sign(s)
	for i := range 3 {
		keys, err := again.Rotate(time.Now())
		if err != nil || len(keys) != i+2 || keys.Chained() != nil {
			t.Fatalf("%v, %v", keys, err)
		}
	}
	last := openKey(t, path)
	if got := last.Keys(); len(got) != 4 || got.Chained() != nil || got[3].ID != first.Keys()[0].ID {
		t.Errorf("%+v", got)
	}
	if s.Signature = last.Sign(s); s.Signature == before || s.Verify(last.Keys()[:1]) != nil {
		t.Error("the newest key does not sign")
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

// TestARotationThatFailsChangesNothing: what cannot be written is not signed with.
func TestARotationThatFailsChangesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "c.key")
	key := openKey(t, path)
	if err := os.MkdirAll(filepath.Join(path+".new", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if _, err := key.Rotate(time.Now()); !errors.Is(err, usecase.ErrUnavailable) || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("%v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) || len(key.Keys()) != 1 || openKey(t, path).Keys()[0].ID != key.Keys()[0].ID {
		t.Error("something changed")
	}
}

// TestKeysOfOthers: what openssl makes is taken; what is not a key is refused, and
// stays as it is.
func TestKeysOfOthers(t *testing.T) {
	block := func(kind string, content []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return block("PRIVATE KEY", der)
	}
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	other, _, _ := ed25519.GenerateKey(rand.Reader)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := pkcs8(private)
	for name, c := range map[string]struct {
		content []byte
		mode    os.FileMode
		says    string // "" is taken
	}{
		"openssl's":         {good, 0o600, ""},
		"read only":         {good, 0o400, ""},
		"for the group":     {good, 0o640, "chmod 600"},
		"for all":           {good, 0o604, "chmod 600"},
		"empty":             {nil, 0o600, "no ed25519 key"},
		"no PEM":            {[]byte("secret"), 0o600, "no ed25519 key"},
		"RSA":               {pkcs8(foreign), 0o600, "no ed25519 key"},
		"cut":               {block("PRIVATE KEY", []byte{1, 2, 3}), 0o600, "no ed25519 key"},
		"two keys":          {append(bytes.Clone(good), good...), 0o600, "more in it"},
		"something behind":  {append(bytes.Clone(good), "x"...), 0o600, "more in it"},
		"another's chain":   {append(bytes.Clone(good), block("HERALD SIGNING KEYS", config.Keys{config.NewKey(other, time.Now())}.Encode())...), 0o600, "another key"},
		"an empty chain":    {append(bytes.Clone(good), block("HERALD SIGNING KEYS", []byte(`{"keys":[]}`))...), 0o600, "empty"},
		"a chain of nobody": {append(bytes.Clone(good), block("HERALD SIGNING KEYS", []byte(`{`))...), 0o600, "signing keys"},
	} {
		path := filepath.Join(t.TempDir(), "c.key")
		if err := os.WriteFile(path, c.content, c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		key, _, err := repository.OpenKeyFile(path)
		switch {
		case c.says == "" && (err != nil || len(key.Keys()) != 1 || !bytes.Equal(key.Keys()[0].Public, private.Public().(ed25519.PublicKey))):
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, c.content) {
			t.Errorf("%s: was overwritten", name)
		}
	}
	if _, _, err := repository.OpenKeyFile(t.TempDir()); err == nil {
		t.Error("a folder is a key")
	}
}

// TestSignaturesAreKept: with the commit, and for what was written before there were
// any with the first read; neither a restart nor a rotation makes another.
func TestSignaturesAreKept(t *testing.T) {
	folder, quiet := t.TempDir(), slog.New(slog.DiscardHandler)
	db, keyFile := filepath.Join(folder, "c.db"), filepath.Join(folder, "c.key")
	newest := func(store *repository.Store, signing *usecase.Signing) (*usecase.Configs, func(config.Name) *config.Snapshot) {
		t.Helper()
		configs, err := usecase.NewConfigs(t.Context(), store, store, store, quiet)
		if err != nil {
			t.Fatal(err)
		}
		configs.SignWith(signing)
		return configs, func(namespace config.Name) *config.Snapshot {
			t.Helper()
			s, _, err := configs.Latest(t.Context(), namespace)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	commit := func(configs *usecase.Configs, namespace config.Name, body string) {
		t.Helper()
		_, err := configs.Commit(context.Background(), namespace, domain.Proposal{Author: "t", Changes: []domain.Change{{
			Op: domain.Put, Name: "limits", Document: config.Document{MediaType: "application/json", Body: []byte(body)},
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := repository.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	configs, latest := newest(store, nil)
	commit(configs, "old", `1`)
	if latest("old").Signature.Signed() {
		t.Fatal("nobody signs, and yet it is signed")
	}
	key := openKey(t, keyFile)
	configs, latest = newest(store, usecase.NewSigning(key, store, quiet))
	commit(configs, "payments", `1`)
	commit(configs, "payments", `2`)
	old, paid := latest("old"), latest("payments")
	if err := errors.Join(old.Verify(key.Keys()), paid.Verify(key.Keys())); err != nil {
		t.Fatal(err)
	}
	if _, err := key.Rotate(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if store, err = repository.Open(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	configs, latest = newest(store, usecase.NewSigning(openKey(t, keyFile), store, quiet))
	if latest("old").Signature != old.Signature || latest("payments").Signature != paid.Signature {
		t.Error("signed anew after a restart")
	}
	commit(configs, "payments", `3`)
	if got := latest("payments"); got.Verify(openKey(t, keyFile).Keys()[:1]) != nil {
		t.Error("not signed by the newest key")
	}
	// Another key, as where the first one got lost: what it cannot stand for is signed anew.
	stranger := openKey(t, filepath.Join(folder, "other.key"))
	_, latest = newest(store, usecase.NewSigning(stranger, store, quiet))
	if err := latest("payments").Verify(stranger.Keys()); err != nil {
		t.Error(err)
	}
}
