package formats_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/heraldconf/herald/shared/sdk/formats"
)

type limits struct {
	RPS   int               `json:"rps"`
	Burst float64           `json:"burst"`
	Since time.Time         `json:"since"`
	Names map[string]string `json:"names"`
}

func TestFormatsMeanTheSame(t *testing.T) {
	want := limits{RPS: 50, Burst: 1.5, Since: time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC), Names: map[string]string{"a": "x"}}
	for mediaType, document := range map[string]string{
		"application/json": `{"rps":50,"burst":1.50,"since":"2026-01-31T18:00:00Z","names":{"a":"x"}}`,
		"application/yaml": "rps: 50\nburst: 1.5\nsince: 2026-01-31T18:00:00Z\nnames: {a: x}\n",
		"application/toml": "rps = 50\nburst = 1.5\nsince = 2026-01-31T18:00:00Z\n[names]\na = 'x'\n",
	} {
		for name, decode := range map[string]func([]byte, string) (limits, error){"Decode": formats.Decode[limits], "Strict": formats.Strict[limits]} {
			if got, err := decode([]byte(document), mediaType); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s of %s: %+v, %v; want %+v", name, mediaType, got, err, want)
			}
		}
	}
}

func TestStrictRefusesWhatHasNoField(t *testing.T) {
	for mediaType, document := range map[string]string{
		"application/json": `{"rps":50,"rsp":60}`, "application/yaml": "rps: 50\nrsp: 60\n", "application/toml": "rps = 50\nrsp = 60\n",
	} {
		if _, err := formats.Strict[limits]([]byte(document), mediaType); err == nil {
			t.Errorf("Strict takes a misspelt member of %s", mediaType)
		}
		if got, err := formats.Decode[limits]([]byte(document), mediaType); err != nil || got.RPS != 50 {
			t.Errorf("Decode of %s: %+v, %v", mediaType, got, err)
		}
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	for _, c := range []struct{ mediaType, document string }{
		{"application/json", `{"rps":50} {}`},
		{"application/json", `{"rps":`},
		{"application/json", `{"rps":"many"}`},
		{"application/yaml", "rps: [50\n"},
		{"application/yaml", "rps: 50\nrps: 60\n"},
		{"application/toml", "rps = \n"},
		{"text/plain", "rps 50"},
		{"application/octet-stream", "\x00\xff"},
	} {
		if got, err := formats.Decode[limits]([]byte(c.document), c.mediaType); err == nil {
			t.Errorf("%s %q is read as %+v", c.mediaType, c.document, got)
		}
	}
}

func TestTextAndBytesAreTakenAsTheyAre(t *testing.T) {
	if got, err := formats.Decode[string]([]byte("hello\n"), "text/plain"); got != "hello\n" || err != nil {
		t.Errorf("text is read as %q, %v", got, err)
	}
	if got, err := formats.Decode[string]([]byte(`"hello"`), "application/json"); got != "hello" || err != nil {
		t.Errorf("a string of JSON is read as %q, %v", got, err)
	}
	if _, err := formats.Decode[string]([]byte("\xff"), "text/plain"); err == nil {
		t.Error("text that is not UTF-8 is read")
	}
	if got, err := formats.Decode[[]byte]([]byte{0, 0xff}, "application/octet-stream"); string(got) != "\x00\xff" || err != nil {
		t.Errorf("bytes are read as %q, %v", got, err)
	}
}

func ExampleDecode() {
	type limits struct {
		RPS int `json:"rps"`
	}
	// In an application: sdk.Options[limits]{Decode: formats.Decode[limits]}
	value, err := formats.Decode[limits]([]byte("rps: 50\n"), "application/yaml")
	fmt.Println(value.RPS, err)
	// Output: 50 <nil>
}
