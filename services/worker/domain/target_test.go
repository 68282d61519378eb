package domain_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/heraldconf/herald/services/worker/domain"
)

func hosts(t testing.TB, list ...string) domain.Hosts {
	t.Helper()
	h, err := domain.ParseHosts(list)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestParseTargetDefaults(t *testing.T) {
	target, err := domain.ParseTarget([]byte(` {"url":"http://127.0.0.1:8080/healthz?x=1"} `), hosts(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if target.URL.String() != "http://127.0.0.1:8080/healthz?x=1" || target.Method != http.MethodGet || target.Timeout != 2*time.Second || len(target.Header) != 0 {
		t.Errorf("%+v", target)
	}
}

func TestParseTargetWhole(t *testing.T) {
	target, err := domain.ParseTarget([]byte(`{"url":"https://LOCALHOST/","method":"POST","timeout_ms":60000,
		"headers":{"X-Key":"a\tb","accept":""},"retries":3}`), hosts(t, "localhost:443"))
	if err != nil {
		t.Fatal(err)
	}
	if target.Method != http.MethodPost || target.Timeout != time.Minute || target.Header["X-Key"] != "a\tb" || len(target.Header) != 2 {
		t.Errorf("%+v", target)
	}
}

func TestParseTargetReasons(t *testing.T) {
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf(`"x-%d":"v"`, i)
	}
	for document, want := range map[string]*domain.Reason{
		``:                   domain.ErrDecode,
		`[]`:                 domain.ErrDecode,
		`"http://127.0.0.1"`: domain.ErrDecode,
		`{"url":`:            domain.ErrDecode,
		`{"url":7}`:          domain.ErrDecode,
		`{"url":null}`:       domain.ErrDecode,
		`{"url":"http://127.0.0.1","timeout_ms":"2s"}`: domain.ErrDecode,
		`{"url":"http://127.0.0.1","timeout_ms":1.5}`:  domain.ErrDecode,
		`{"url":"http://127.0.0.1","headers":{"a":1}}`: domain.ErrDecode,
		`{"url":"http://127.0.0.1","headers":[]}`:      domain.ErrDecode,
		`null`:                                  domain.ErrMissingURL,
		`{}`:                                    domain.ErrMissingURL,
		`{"url":""}`:                            domain.ErrMissingURL,
		`{"URL":"http://127.0.0.1"}`:            domain.ErrMissingURL,
		`{"url":"/healthz"}`:                    domain.ErrInvalid,
		`{"url":"127.0.0.1:8080"}`:              domain.ErrInvalid,
		`{"url":"file:///etc/passwd"}`:          domain.ErrInvalid,
		`{"url":"gopher://127.0.0.1"}`:          domain.ErrInvalid,
		`{"url":"http://"}`:                     domain.ErrInvalid,
		`{"url":"http://:8080/"}`:               domain.ErrInvalid,
		`{"url":"http://me:secret@127.0.0.1/"}`: domain.ErrInvalid,
		`{"url":"http://127.0.0.1/\u0000"}`:     domain.ErrInvalid,
		`{"url":"http://127.0.0.1/` + strings.Repeat("x", 9000) + `"}`:           domain.ErrInvalid,
		`{"url":"http://127.0.0.1","method":""}`:                                 domain.ErrInvalid,
		`{"url":"http://127.0.0.1","method":"GET /x"}`:                           domain.ErrInvalid,
		`{"url":"http://127.0.0.1","method":"connect"}`:                          domain.ErrInvalid,
		`{"url":"http://127.0.0.1","timeout_ms":0}`:                              domain.ErrInvalid,
		`{"url":"http://127.0.0.1","timeout_ms":60001}`:                          domain.ErrInvalid,
		`{"url":"http://127.0.0.1","timeout_ms":9223372036854775807}`:            domain.ErrInvalid,
		`{"url":"http://127.0.0.1","headers":{"":"v"}}`:                          domain.ErrInvalid,
		`{"url":"http://127.0.0.1","headers":{"a b":"v"}}`:                       domain.ErrInvalid,
		`{"url":"http://127.0.0.1","headers":{"a":"v\r\nHost: x"}}`:              domain.ErrInvalid,
		`{"url":"http://127.0.0.1","headers":{"Host":"x"}}`:                      domain.ErrInvalid,
		`{"url":"http://127.0.0.1","headers":{"transfer-encoding":"chunked"}}`:   domain.ErrInvalid,
		`{"url":"http://127.0.0.1","headers":{"A":"1","a":"2"}}`:                 domain.ErrInvalid,
		`{"url":"http://127.0.0.1","headers":{` + strings.Join(many, ",") + `}}`: domain.ErrInvalid,
		`{"url":"http://example.com/"}`:                                          domain.ErrHostNotAllowed,
		`{"url":"http://127.0.0.2/"}`:                                            domain.ErrHostNotAllowed,
		`{"url":"http://2130706433/"}`:                                           domain.ErrHostNotAllowed,
		`{"url":"http://127.0.0.1.example.com/"}`:                                domain.ErrHostNotAllowed,
	} {
		_, err := domain.ParseTarget([]byte(document), hosts(t, "127.0.0.1"))
		if !errors.Is(err, want) {
			t.Errorf("%.80s: %v, want %v", document, err, want)
			continue
		}
		if coded, ok := errors.AsType[*domain.Reason](err); !ok || coded.Code() != want.Code() {
			t.Errorf("%.80s: its code is not %s", document, want.Code())
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%.80s: the error shows the password", document)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add([]byte(`{"url":"http://127.0.0.1:8080/healthz","method":"GET","timeout_ms":2000,"headers":{"a":"b"}}`))
	f.Add([]byte(`{"url":"http://[::1%25lo]:8080/"}`))
	f.Add([]byte(`{"url":"http://127.0.0.1@example.com/"}`))
	allowed := hosts(f, "127.0.0.1", "localhost")
	f.Fuzz(func(t *testing.T, document []byte) {
		target, err := domain.ParseTarget(document, allowed)
		if err != nil {
			if _, ok := errors.AsType[*domain.Reason](err); !ok {
				t.Fatalf("%v has no code", err)
			}
			return
		}
		host := strings.TrimSuffix(strings.ToLower(target.URL.Hostname()), ".")
		if host != "127.0.0.1" && host != "localhost" && host != "::ffff:127.0.0.1" && host != "::ffff:7f00:1" {
			t.Fatalf("host %q was let through", host)
		}
		if target.Timeout <= 0 || target.Timeout > time.Minute || target.Method == "" {
			t.Fatalf("%+v", target)
		}
	})
}
