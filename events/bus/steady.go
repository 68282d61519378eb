package bus

import (
	"context"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"
)

// steady is a Subscriber whose subscriptions end with their context alone: one
// that dies behind it, or can't begin, is made anew. A Router goes on without a
// handler whose channel closed, and never starts if one Subscribe fails.
type steady struct {
	message.Subscriber
	times  times
	logger *slog.Logger
}

// Subscribe never fails.
func (s steady) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for failures := 0; ctx.Err() == nil; {
			heard, err := s.once(ctx, topic, out)
			if ctx.Err() != nil {
				return
			}
			if heard {
				failures = 0
			}
			s.logger.Warn("a subscription ended and is made anew", "topic", topic, "error", err)
			pause(ctx, s.times.backoff(failures), nil)
			failures++
		}
	}()
	return out, nil
}

// once hands on what one subscription hears until it ends, and says whether it
// heard anything.
func (s steady) once(ctx context.Context, topic string, out chan<- *message.Message) (heard bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, err := s.Subscriber.Subscribe(ctx, topic)
	if err != nil {
		return false, err
	}
	for msg := range in {
		heard = true
		select {
		case out <- msg:
		case <-ctx.Done():
			return heard, ctx.Err()
		}
	}
	return heard, nil
}
