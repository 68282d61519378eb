package bus

import "context"

// A Message is what passed on a topic, as it stands there.
type Message struct {
	UUID     string
	Topic    string // without the bus's prefix
	Metadata map[string]string
	Payload  []byte
}

// Consume hands each message of a topic to each, from the oldest that is kept or
// from now on, until ctx or the bus ends. It returns the error with which each
// ended it, ErrNone, or ErrNoHistory; nil otherwise. It outlives outages.
func (b *Bus) Consume(ctx context.Context, topic string, fromBeginning bool, each func(Message) error) error {
	if b.transport == nil {
		return ErrNone
	}
	if fromBeginning && !b.transport.keepsHistory() {
		return ErrNoHistory
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	messages, err := b.steady(subscription{fromBeginning: fromBeginning, connected: func() {}}).
		Subscribe(ctx, b.prefix+topic)
	if err != nil {
		return err
	}
	for msg := range messages {
		err := each(Message{UUID: msg.UUID, Topic: topic, Metadata: msg.Metadata, Payload: msg.Payload})
		msg.Ack()
		if err != nil {
			return err
		}
	}
	return nil
}
