package client_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/heraldconf/herald/shared/client"
	"github.com/heraldconf/herald/shared/config"
)

// TestBackupIsWholeOrNone: a copy that breaks off, or is not what its digest says, is
// an error.
func TestBackupIsWholeOrNone(t *testing.T) {
	copied := bytes.Repeat([]byte("page"), 1024)
	digest := config.DigestOf(copied)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		good   bool
	}{
		"whole": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", digest.Header())
			_, _ = w.Write(copied)
		}, true},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", digest.Header())
			w.Header().Set("Content-Length", "4096")
			_, _ = w.Write(copied[:1000])
		}, false},
		"another digest": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", digest.Header())
			_, _ = w.Write(copied[1:])
		}, false},
		"no digest": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(copied) }, false},
		"refused":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, false},
	} {
		server := httptest.NewServer(c.answer)
		asks, err := client.New(server.URL, "")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		size, got, err := asks.Backup(t.Context(), &out)
		if c.good && (err != nil || size != 4096 || got != digest || !bytes.Equal(out.Bytes(), copied)) {
			t.Errorf("%s: %d bytes, %v", name, size, err)
		}
		if !c.good && err == nil {
			t.Errorf("%s: taken", name)
		}
		if unreachable := (*client.Unreachable)(nil); name == "broken off" && !errors.As(err, &unreachable) {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}
