package repository

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/controller/usecase"
	"github.com/heraldconf/herald/shared/config"
)

// The blocks of a key file: the private key as openssl writes it (PKCS #8), and
// behind it the chain of public keys, as JSON. One file, so that a rename replaces
// both at once.
const (
	privateBlock = "PRIVATE KEY"
	chainBlock   = "HERALD SIGNING KEYS"
	maxKeyFile   = 2 * config.MaxKeysBody
)

// A KeyFile is the controller's signing key, which nothing else holds: not the
// database, and so no backup of it.
type KeyFile struct {
	path string

	mu      sync.RWMutex
	private ed25519.PrivateKey
	keys    config.Keys // newest first; the first is of private
}

// OpenKeyFile reads the signing key in that file, and makes one where there is
// none, which made says. It never replaces one that it cannot read.
func OpenKeyFile(path string) (k *KeyFile, made bool, err error) {
	k = &KeyFile{path: path}
	switch err = k.read(); {
	case err == nil:
		return k, false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, false, err
	}
	if k.private, err = newPrivateKey(); err != nil {
		return nil, false, err
	}
	k.keys = config.Keys{config.NewKey(publicOf(k.private), time.Now())}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, false, plain(err)
	}
	if err := writeKeyFile(path, k.private, k.keys, addFile); err != nil {
		return nil, false, err
	}
	return k, true, nil
}

func newPrivateKey() (ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return private, err
}

func publicOf(private ed25519.PrivateKey) ed25519.PublicKey {
	return private.Public().(ed25519.PublicKey) // it is nothing else
}

// read takes the key over from its file.
func (k *KeyFile) read() error {
	info, err := os.Stat(k.path)
	if err != nil {
		return plainly(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others may read or write it (mode %04o): chmod 600, and think about who may have read it", mode)
	}
	if info.Size() > maxKeyFile {
		return errors.New("it is too large for a signing key")
	}
	content, err := os.ReadFile(k.path)
	if err != nil {
		return plainly(err)
	}
	k.private, k.keys, err = decodeKeyFile(content, info.ModTime())
	return err
}

// plainly is plain for errors that somebody still asks what they are.
func plainly(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return plain(err)
}

var errKeyFile = errors.New(`it is no ed25519 key in PEM, as "openssl genpkey -algorithm ed25519" makes one`)

// decodeKeyFile reads a key file. One without a chain, as other tools make it, is
// the first of its chain, and as old as its file.
func decodeKeyFile(content []byte, modified time.Time) (ed25519.PrivateKey, config.Keys, error) {
	block, rest := pem.Decode(content)
	if block == nil || block.Type != privateBlock {
		return nil, nil, errKeyFile
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, errKeyFile // what is wrong with a secret is nobody's business
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, nil, errKeyFile
	}
	chain, rest := pem.Decode(rest)
	switch {
	case chain == nil && len(bytes.TrimSpace(rest)) == 0:
		return private, config.Keys{config.NewKey(publicOf(private), modified)}, nil
	case chain == nil || chain.Type != chainBlock || len(bytes.TrimSpace(rest)) > 0:
		return nil, nil, errors.New("there is more in it than a key and its chain")
	}
	keys, err := config.ParseKeys(chain.Bytes)
	if err == nil {
		err = keys.Chained()
	}
	if err == nil && !bytes.Equal(keys[0].Public, publicOf(private)) {
		err = errors.New("the chain in it ends with another key")
	}
	return private, keys, err
}

func encodeKeyFile(private ed25519.PrivateKey, keys config.Keys) ([]byte, error) {
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	content := pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: secret})
	return append(content, pem.EncodeToMemory(&pem.Block{Type: chainBlock, Bytes: keys.Encode()})...), nil
}

// writeKeyFile writes beside and puts the whole in its place. It is on disk when
// nil is returned.
func writeKeyFile(path string, private ed25519.PrivateKey, keys config.Keys, place func(from, to string) error) (err error) {
	content, err := encodeKeyFile(private, keys)
	if err != nil {
		return err
	}
	beside := path + ".new"
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed here
		return plain(err)
	}
	file, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return plain(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(beside) // a secret that nobody uses
		}
	}()
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return plain(err)
	}
	if err := place(beside, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// addFile puts a file where none is. A link fails where one is; a file system
// without links gets a rename.
func addFile(from, to string) error {
	switch err := os.Link(from, to); {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, fs.ErrExist):
		return err
	}
	return os.Rename(from, to)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Sign returns the newest key's signature of a snapshot.
func (k *KeyFile) Sign(s *config.Snapshot) config.Signature {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return config.Sign(k.private, s)
}

// Keys returns the chain of public keys, newest first.
func (k *KeyFile) Keys() config.Keys {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys
}

// Rotate replaces the key by a new one that it signs. With an error that wraps
// usecase.ErrUnavailable the key stays, unless not even the folder could be synced.
func (k *KeyFile) Rotate(at time.Time) (config.Keys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next, err := newPrivateKey()
	if err != nil {
		return nil, err
	}
	keys := k.keys.Succeeded(k.private, publicOf(next), at)
	if err := writeKeyFile(k.path, next, keys, os.Rename); err != nil {
		return nil, fmt.Errorf("%w: replace the signing key: %w", usecase.ErrUnavailable, err)
	}
	k.private, k.keys = next, keys
	return keys, nil
}
