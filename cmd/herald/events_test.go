package main

import (
	"encoding/json"
	"testing"

	"github.com/heraldconf/herald/events/bus"
)

func TestAMessageIsOneLine(t *testing.T) {
	for payload, want := range map[string]string{
		`{"a":1}`:                `{"a":1}`,
		"{\n  \"a\": [1,\r\n2]}": `{"a":[1,2]}`,
		"two\nlines\r\n":         "two lines  ",
		"":                       "",
		`{"text":"a\nb"}`:        `{"text":"a\nb"}`,
	} {
		if got := string(oneLine([]byte(payload))); got != want {
			t.Errorf("%q: %q, want %q", payload, got, want)
		}
	}
}

func TestAMessageAsJSON(t *testing.T) {
	for payload, want := range map[string]string{
		`{"a":1}`:     `{"a":1}`,
		"not json":    `"not json"`,
		"\xff\"":      `"\ufffd\""`,
		"":            `""`,
		"{\"a\":\n1}": `{"a":1}`,
	} {
		got, err := json.Marshal(messageOf(bus.Message{UUID: "u", Topic: "t", Metadata: map[string]string{"k": "v"}, Payload: []byte(payload)}))
		if err != nil || string(got) != `{"uuid":"u","topic":"t","metadata":{"k":"v"},"payload":`+want+`}` {
			t.Errorf("%q: %s %v", payload, got, err)
		}
	}
}

func TestALineFormat(t *testing.T) {
	for given, want := range map[string]lineFormat{"payload": linePayload, "text": linePayload, "json": lineJSON} {
		var f lineFormat
		if err := f.Set(given); err != nil || f != want {
			t.Errorf("%s: %s %v", given, f, err)
		}
	}
	if new(lineFormat).Set("xml") == nil {
		t.Error("xml passes")
	}
}
