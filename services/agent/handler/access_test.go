package handler

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWhoIsAdmitted(t *testing.T) {
	inside := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, c := range []struct {
		from, authorization string
		tokens              []string
		want                int
	}{
		{"127.0.0.1:4711", "", []string{"a"}, 200},
		{"[::1]:4711", "", []string{"a"}, 200},
		{"10.0.0.7:4711", "", nil, 200},
		{"10.0.0.7:4711", "", []string{"a"}, 401},
		{"10.0.0.7:4711", "Bearer b", []string{"a"}, 401},
		{"10.0.0.7:4711", "Basic a", []string{"a"}, 401},
		{"10.0.0.7:4711", "Bearer ", []string{"a"}, 401},
		{"10.0.0.7:4711", "Bearer b", []string{"a", "b"}, 200},
		{"nonsense", "", []string{"a"}, 401},
	} {
		h := &Handler{Tokens: c.tokens}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/namespaces/payments/snapshot", nil)
		r.RemoteAddr = c.from
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		w := httptest.NewRecorder()
		h.admit(inside).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}
