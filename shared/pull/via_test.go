package pull

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestViaIsReadAsItWasWritten(t *testing.T) {
	h := http.Header{}
	SetVia(h, nil)
	if len(h) != 0 || Via(h) != nil {
		t.Errorf("of nobody: %v", h)
	}
	SetVia(h, []string{"near", "far"})
	if h.Get("Via") != "1.1 near, 1.1 far" || !slices.Equal(Via(h), []string{"near", "far"}) {
		t.Errorf("%v: %v", h, Via(h))
	}
	h.Set("Via", "1.1 near")
	h.Add("Via", "HTTP/1.1 proxy.example:8080 (squid), , nonsense, 2 far (comment)")
	if got := Via(h); !slices.Equal(got, []string{"near", "far"}) {
		t.Errorf("beside other proxies: %v", got)
	}
	h.Set("Via", strings.Repeat("1.1 x,", 100_000))
	if got := Via(h); len(got) != maxVia {
		t.Errorf("%d entries of a hostile one", len(got))
	}
}
