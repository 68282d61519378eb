package events

import (
	"encoding/json"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// Encode returns the event's payload.
func Encode(e Event) []byte {
	payload, err := json.Marshal(e)
	if err != nil {
		panic("events: " + err.Error()) // our own types always encode
	}
	return payload
}

// fields is a payload that nobody vouches for. A member that is missing, or not
// of the type that is asked for, reads as zero.
type fields map[string]json.RawMessage

func open(payload []byte) fields {
	var f fields
	if json.Unmarshal(payload, &f) != nil {
		return nil
	}
	return f
}

func get[T any](f fields, key string) T {
	var value T
	if raw, ok := f[key]; !ok || json.Unmarshal(raw, &value) != nil {
		return *new(T)
	}
	return value
}

// name reads a name; what does not fit the pattern is none.
func (f fields) name(key string) config.Name {
	name, err := config.ParseName(get[string](f, key))
	if err != nil {
		return ""
	}
	return name
}

func (f fields) revision() config.Revision { return max(get[config.Revision](f, "revision"), 0) }

// DecodeChanged reads a ConfigChanged. ok is false if it names no namespace.
func DecodeChanged(payload []byte) (e ConfigChanged, ok bool) {
	f := open(payload)
	e = ConfigChanged{
		Namespace:   f.name("namespace"),
		Revision:    f.revision(),
		Epoch:       get[config.Epoch](f, "epoch"),
		ETag:        get[config.ETag](f, "etag"),
		SpreadMS:    get[int64](f, "spread_ms"),
		PublishedAt: get[time.Time](f, "published_at"),
	}
	return e, e.Namespace != ""
}

// DecodeFetched reads a ConfigFetched. ok is false if it names no agent or no
// namespace.
func DecodeFetched(payload []byte) (e ConfigFetched, ok bool) {
	f := open(payload)
	e = ConfigFetched{config.Fetched{
		Agent:     get[string](f, "agent"),
		Namespace: f.name("namespace"),
		Revision:  f.revision(),
		Epoch:     get[config.Epoch](f, "epoch"),
		At:        get[time.Time](f, "at"),
	}}
	return e, e.Namespace != "" && config.CheckAgentID(e.Agent) == nil
}

// DecodeApplied reads a ConfigApplied. ok is false if it names no worker, no
// namespace, no revision or no verdict.
func DecodeApplied(payload []byte) (e ConfigApplied, ok bool) {
	f := open(payload)
	e = ConfigApplied{config.Verdict{
		Worker:    get[string](f, "worker"),
		Agent:     get[string](f, "agent"),
		Namespace: f.name("namespace"),
		Revision:  f.revision(),
		Epoch:     get[config.Epoch](f, "epoch"),
		Status:    get[config.Status](f, "status"),
		Code:      get[string](f, "code"),
		Message:   get[string](f, "message"),
		At:        get[time.Time](f, "at"),
		TookMS:    get[int64](f, "took_ms"),
	}}
	return e, e.Check() == nil
}
