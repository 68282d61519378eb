package gateway

import (
	"net/http"
	"net/http/httptest"
)

// A roundTrip answers requests without a socket.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func byHost(of func(host string) http.RoundTripper) roundTrip {
	return func(r *http.Request) (*http.Response, error) { return of(r.URL.Host).RoundTrip(r) }
}

// answerOf has a handler answer; a request that is given up has no answer.
func answerOf(h http.Handler, r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}
