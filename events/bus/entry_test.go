package bus

import (
	"maps"
	"testing"

	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"
)

func TestEntriesReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := message.NewMessage(
			rapid.StringN(1, 40, -1).Draw(t, "uuid"),
			rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
		)
		msg.Metadata = rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")
		fields, err := entry{}.Marshal(topic, msg)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range fields { // Redis answers with strings
			if raw, ok := value.([]byte); ok {
				fields[key] = string(raw)
			}
		}
		got, err := entry{}.Unmarshal(fields)
		if err != nil || got.UUID != msg.UUID || string(got.Payload) != string(msg.Payload) ||
			!maps.Equal(got.Metadata, msg.Metadata) {
			t.Fatalf("%+v, %v", got, err)
		}
		theirs, err := redisstream.DefaultMarshallerUnmarshaller{}.Unmarshal(fields)
		if err != nil || theirs.UUID != msg.UUID || string(theirs.Payload) != string(msg.Payload) {
			t.Fatalf("Watermill's own marshaller reads %+v, %v", theirs, err)
		}
	})
}

func TestEntriesOfWatermillsOwnMarshaller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := message.NewMessage("u", []byte("p"))
		msg.Metadata = rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")
		fields, err := redisstream.DefaultMarshallerUnmarshaller{}.Marshal(topic, msg)
		if err != nil {
			return // a key that it reserves
		}
		metadata, _ := fields[fieldForeign].([]byte)
		got, _ := entry{}.Unmarshal(map[string]any{fieldUUID: "u", fieldPayload: "p", fieldForeign: string(metadata)})
		if len(metadata) <= foreignLimit && !maps.Equal(got.Metadata, msg.Metadata) {
			t.Fatalf("%q was read as %q", msg.Metadata, got.Metadata)
		}
	})
}

func FuzzEntry(f *testing.F) {
	f.Add("u", "p", "\x81\xa4name\xadConfigChanged", "name", "ConfigChanged")
	f.Add("", "", "\xdf\xff\xff\xff\xff", "", "")
	f.Add("", "", "\xdb\xff\xff\xff\xff", "", "\xff")
	f.Add("", "", "\x93\x01\x02\x03", "", "")
	f.Fuzz(func(t *testing.T, uuid, payload, metadata, key, value string) {
		msg, err := entry{}.Unmarshal(map[string]any{
			fieldUUID: uuid, fieldPayload: payload, fieldForeign: metadata, fieldMeta + key: value,
		})
		if err != nil || msg.UUID == "" || string(msg.Payload) != payload || msg.Metadata[key] != value {
			t.Errorf("%+v, %v", msg, err)
		}
	})
}

func TestEntriesOfNoStrings(t *testing.T) {
	msg, err := entry{}.Unmarshal(map[string]any{fieldUUID: 7, fieldPayload: nil, fieldForeign: []byte{1}, "meta:a": 1.5})
	if err != nil || msg.UUID == "" || len(msg.Payload) != 0 || msg.Metadata["a"] != "" {
		t.Errorf("%+v, %v", msg, err)
	}
	if msg, err := (entry{}).Unmarshal(nil); err != nil || msg.UUID == "" {
		t.Errorf("%+v, %v", msg, err)
	}
}

func TestPositions(t *testing.T) {
	for _, c := range []struct {
		a, b   string
		before bool
	}{
		{"0-0", "0-1", true},
		{"1-9", "2-0", true},
		{"9-0", "10-0", true},
		{"10-0", "9-9", false},
		{"5-5", "5-5", false},
		{"1-0", "18446744073709551615-18446744073709551615", true},
	} {
		a, errA := parsePosition(c.a)
		b, errB := parsePosition(c.b)
		if errA != nil || errB != nil || a.before(b) != c.before || a.String() != c.a {
			t.Errorf("%s before %s: %v (%v, %v)", c.a, c.b, a.before(b), errA, errB)
		}
	}
	for _, bad := range []string{"", "-", "1", "1-", "-1", "a-b", "1-2-3", "18446744073709551616-0"} {
		if _, err := parsePosition(bad); err == nil {
			t.Errorf("%q is taken for an ID", bad)
		}
	}
}
