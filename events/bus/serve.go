package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// closing is how long handlers may take to end once Serve is to.
const closing = 5 * time.Second

// A Route says what is done with the messages of a topic.
type Route struct {
	Name  string // for the log; of its own in a Serve
	Topic string
	// Handle takes what came. It can't fail: whatever it is given is
	// acknowledged, and what makes it panic is logged and gone. One call at a time
	// where the bus keeps an order; in memory there may be several.
	Handle func(ctx context.Context, payload []byte)
	// Connected, if there is one, is called each time the subscription is in place,
	// at first and after whatever may have cost messages. Its owner pulls then.
	Connected func()
}

// Serve runs a Watermill Router with the routes until ctx or the bus ends, and
// then returns nil. What dies meanwhile is made anew. Without a bus it waits for
// the end of ctx. Several may run at once on one bus.
func (b *Bus) Serve(ctx context.Context, routes ...Route) error {
	if err := checkRoutes(routes); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	if b.transport == nil || len(routes) == 0 {
		<-ctx.Done()
		return nil
	}
	b.supervise(ctx, func() error { return b.router(routes).Run(ctx) })
	return nil
}

// supervise has run run until ctx ends, however often it ends before.
func (b *Bus) supervise(ctx context.Context, run func() error) {
	for failures := 0; ; failures++ {
		began := time.Now()
		err := run()
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > between {
			failures = 0
		}
		b.logger.Warn("the router ended and is made anew", "error", err)
		pause(ctx, b.times.backoff(failures), nil)
	}
}

func checkRoutes(routes []Route) error {
	names := map[string]bool{}
	for _, r := range routes {
		if r.Topic == "" || r.Handle == nil {
			return errors.New("a route needs a topic and a handler")
		}
		if names[r.Name] {
			return fmt.Errorf("two routes are named %q", r.Name)
		}
		names[r.Name] = true
	}
	return nil
}

// router makes a Router; one that ended can't run again.
func (b *Bus) router(routes []Route) *message.Router {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: closing}, newWatermillLog(b.logger))
	if err != nil {
		panic("bus: " + err.Error()) // it has no settings that could be wrong
	}
	router.AddMiddleware(b.settle, middleware.Recoverer)
	for _, r := range routes {
		router.AddConsumerHandler(r.Name, b.prefix+r.Topic, b.steady(subscription{connected: r.connected}),
			func(msg *message.Message) error {
				r.Handle(msg.Context(), msg.Payload)
				return nil
			})
	}
	return router
}

func (b *Bus) steady(how subscription) steady {
	return steady{Subscriber: b.transport.subscriber(how), times: b.times, logger: b.logger}
}

func (r Route) connected() {
	if r.Connected != nil {
		r.Connected()
	}
}

// settle acknowledges whatever came of a message: one that is refused comes
// again at once, and a handler that panics on it would do nothing else.
func (b *Bus) settle(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		if _, err := next(msg); err != nil {
			b.logger.Error("a handler panicked; its message is dropped",
				"handler", message.HandlerNameFromCtx(msg.Context()), "uuid", msg.UUID, "error", err)
		}
		return nil, nil
	}
}
