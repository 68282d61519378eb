package bus

import (
	"maps"
	"strings"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
)

// The fields of a stream's entry.
const (
	fieldUUID    = redisstream.UUIDHeaderKey
	fieldPayload = "payload"
	fieldMeta    = "meta:"    // one field a key, so that redis-cli can write it
	fieldForeign = "metadata" // where Watermill's own marshaller puts all of it
)

// foreignLimit is how many bytes of another marshaller's metadata are looked at.
const foreignLimit = 64 << 10

// entry is how messages stand in a stream. Watermill's own marshaller can read
// what it writes, and it reads whatever anybody wrote: an error in Unmarshal
// would end the subscription for good.
type entry struct{}

// Marshal makes the fields of an entry.
func (entry) Marshal(_ string, msg *message.Message) (map[string]any, error) {
	fields := map[string]any{fieldUUID: msg.UUID, fieldPayload: []byte(msg.Payload)}
	for key, value := range msg.Metadata {
		fields[fieldMeta+key] = value
	}
	return fields, nil
}

// Unmarshal never fails: what is missing is made up or empty.
func (entry) Unmarshal(fields map[string]any) (*message.Message, error) {
	uuid, _ := fields[fieldUUID].(string)
	if uuid == "" {
		uuid = watermill.NewUUID()
	}
	payload, _ := fields[fieldPayload].(string)
	msg := message.NewMessage(uuid, []byte(payload))
	if foreign, _ := fields[fieldForeign].(string); foreign != "" {
		maps.Copy(msg.Metadata, readForeign(foreign))
	}
	for field, value := range fields {
		if key, ok := strings.CutPrefix(field, fieldMeta); ok {
			text, _ := value.(string)
			msg.Metadata.Set(key, text)
		}
	}
	return msg, nil
}

// readForeign reads metadata as Watermill's own marshaller writes it, with that
// marshaller; whatever it stumbles over is no metadata.
func readForeign(metadata string) (read message.Metadata) {
	defer func() {
		if recover() != nil {
			read = nil
		}
	}()
	if len(metadata) > foreignLimit {
		return nil
	}
	msg, err := redisstream.DefaultMarshallerUnmarshaller{}.Unmarshal(map[string]any{
		fieldUUID: "", fieldForeign: metadata,
	})
	if err != nil {
		return nil
	}
	return msg.Metadata
}
