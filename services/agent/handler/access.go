package handler

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"github.com/heraldconf/herald/shared/httpapi"
)

// admit lets callers on loopback pass, and those who bring a token that the agent
// accepts. Where it accepts none, nobody is asked: it listens on loopback, or was
// told to be open.
func (h *Handler) admit(next http.Handler) http.Handler {
	if len(h.Tokens) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.admits(r) {
			next.ServeHTTP(w, r)
			return
		}
		httpapi.WriteProblem(w, httpapi.NewProblem(http.StatusUnauthorized, "unauthorized",
			"this agent asks callers from elsewhere for a token: send Authorization: Bearer TOKEN"))
	})
}

// admits says whether admit lets a caller pass.
func (h *Handler) admits(r *http.Request) bool {
	return len(h.Tokens) == 0 || onLoopback(r.RemoteAddr) || h.accepts(r.Header.Get("Authorization"))
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// accepts compares digests, so that the time it takes says nothing of a token.
func (h *Handler) accepts(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		return false
	}
	given, accepted := sha256.Sum256([]byte(token)), 0
	for _, one := range h.Tokens {
		want := sha256.Sum256([]byte(one))
		accepted |= subtle.ConstantTimeCompare(given[:], want[:])
	}
	return accepted == 1
}
