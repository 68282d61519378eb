package bus

import (
	"context"
	"log/slog"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
)

// memories are the buses in memory, by name: all that open a name in a process
// share one gochannel, since two would not hear each other.
var memories = struct {
	sync.Mutex
	open map[string]*shared
}{open: map[string]*shared{}}

// shared is one gochannel and how many have it open.
type shared struct {
	*gochannel.GoChannel
	users int
}

// memory is one opener's hold of a bus in memory.
type memory struct {
	name    string
	channel *shared
	close   func() error
}

// openMemory joins the bus of that name. It neither keeps messages nor waits for
// those that read them: a handler may publish to its own topic.
func openMemory(name string, logger *slog.Logger) *memory {
	memories.Lock()
	defer memories.Unlock()
	channel := memories.open[name]
	if channel == nil {
		channel = &shared{GoChannel: gochannel.NewGoChannel(gochannel.Config{}, newWatermillLog(logger))}
		memories.open[name] = channel
	}
	channel.users++
	m := &memory{name: name, channel: channel}
	m.close = sync.OnceValue(m.leave)
	return m
}

// Publish hands the messages to whoever is subscribed.
func (m *memory) Publish(topic string, messages ...*message.Message) error {
	return m.channel.Publish(topic, messages...)
}

// Close leaves the bus; the last to leave ends it.
func (m *memory) Close() error { return m.close() }

func (m *memory) leave() error {
	memories.Lock()
	defer memories.Unlock()
	m.channel.users--
	if m.channel.users > 0 {
		return nil
	}
	delete(memories.open, m.name)
	return m.channel.Close()
}

func (m *memory) subscriber(how subscription) message.Subscriber {
	return memorySubscriber{m.channel, how}
}

func (*memory) ping(context.Context) error { return nil }

func (*memory) keepsHistory() bool { return false }

// memorySubscriber is one subscription. Its Close does nothing, since the
// channel is not its own; it ends with its context.
type memorySubscriber struct {
	channel *shared
	how     subscription
}

// Subscribe is in place once it returns.
func (s memorySubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	messages, err := s.channel.Subscribe(ctx, topic)
	if err == nil {
		s.how.connected()
	}
	return messages, err
}

// Close does nothing.
func (memorySubscriber) Close() error { return nil }
