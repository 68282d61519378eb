package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/heraldconf/herald/shared/config"
)

// large is a document of about a megabyte, the most that Herald takes, as
// configurations look: objects in lists, numbers, text with escapes.
func large() []byte {
	var b strings.Builder
	b.WriteString("{\n  \"routes\": [")
	for i := 0; b.Len() < config.MaxDocument-300; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n    {\"id\": %d, \"host\": \"host-%d.example\", \"weight\": %d.5, \"paths\": [\"/a\", \"/b/\\u00e9\"], \"tls\": {\"on\": true, \"note\": \"say \\\"hi\\\"\"}}", i, i, i)
	}
	b.WriteString("\n  ]\n}\n")
	return []byte(b.String())
}

func sealLarge(body []byte) *config.Snapshot {
	entry := config.Entry{Name: "routes", Revision: 1, Document: config.Document{MediaType: "application/json", Body: body}}
	return config.Seal("payments", config.Position{Epoch: "01J", Revision: 1}, []config.Entry{entry}, nil)
}

func BenchmarkCheckJSON(b *testing.B) {
	body := large()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := config.CheckJSON(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	body := large()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		sealLarge(body)
	}
}

func BenchmarkOpen(b *testing.B) {
	body := sealLarge(large()).Body
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := config.Open(body); err != nil {
			b.Fatal(err)
		}
	}
}
