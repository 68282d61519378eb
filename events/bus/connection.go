package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// go-redis logs on its own, for the whole process, each time that a connection
// is lost. health tells that once, so go-redis is kept quiet.
var quietRedis = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// A connection is a Redis that is looked after: whether it answers is known
// from every command, and from a ping where there are none.
type connection struct {
	options *redis.Options
	health  *health
	times   times
	logger  *slog.Logger
	seldom  *seldom
	// commands is for what is answered at once; blocking reads have clients of
	// their own, so that they never hold the connection a publication needs.
	commands *redis.Client
	end      context.CancelFunc
	probing  sync.WaitGroup
}

// connect makes a connection and looks after it until it is closed or ctx ends.
func connect(ctx context.Context, options *redis.Options, h *health, t times, logger *slog.Logger) *connection {
	quietRedis()
	options.Protocol = 2 // nothing is pushed to us, so nothing is looked for
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = t.answer, t.answer, t.answer
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	c := &connection{options: options, health: h, times: t, logger: logger, seldom: newSeldom()}
	c.commands = c.client(1)
	ctx, c.end = context.WithCancel(ctx)
	c.probing.Go(func() { c.probe(ctx) })
	return c
}

// client makes a client with a pool of its own. It must be closed.
func (c *connection) client(retries int) *redis.Client {
	options := *c.options
	options.MaxRetries = retries
	client := redis.NewClient(&options)
	client.AddHook(observer{c.health})
	return client
}

// probe pings, seldom while Redis answers, and more often while it does not: a
// Redis that hangs is noticed though nobody publishes, and one that is back too.
// Even the first ping after a loss comes at random, since a whole fleet lost it.
func (c *connection) probe(ctx context.Context) {
	lost, stop := c.health.turns(Down)
	defer stop()
	for failures := 0; ctx.Err() == nil; {
		if c.ping(ctx) == nil {
			failures = 0
			pause(ctx, c.times.probe, lost)
			if c.health.current() == OK {
				continue
			}
		}
		pause(ctx, c.times.backoff(failures), nil)
		failures++
	}
}

// ping asks Redis, and draws the conclusion from every answer: one that refuses
// us is as good as away. ctx lends its values alone, since a caller that gives
// up says nothing of Redis.
func (c *connection) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.times.answer)
	defer cancel()
	err := c.commands.Ping(ctx).Err()
	switch {
	case redis.IsPermissionError(err): // connected, signed in, and answered
		c.health.set(OK, nil)
		return nil
	case isReply(err):
		c.health.set(Down, err)
	}
	return err
}

// Close ends the probing and closes the client for commands.
func (c *connection) Close() error {
	c.end()
	err := c.commands.Close() // a ping that hangs ends with it
	c.probing.Wait()
	if err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("close the connection to Redis: %w", err)
	}
	return nil
}

// observer is a hook that shows health the outcome of every command and dial.
type observer struct{ health *health }

// DialHook sees failures alone: a Redis that hangs still lets itself be dialled.
func (o observer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			o.health.observe(err)
		}
		return conn, err
	}
}

// ProcessHook sees every command. That none could be dialled for was seen when it
// was so; the command may say it only once Redis is back.
func (o observer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if failed, ok := errors.AsType[*net.OpError](err); !ok || failed.Op != "dial" {
			o.health.observe(err)
		}
		return err
	}
}

// ProcessPipelineHook sees nothing, since nobody here makes pipelines.
func (observer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
