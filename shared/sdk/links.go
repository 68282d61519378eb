package sdk

import (
	"context"
	"sync"

	"github.com/heraldconf/herald/shared/pull"
)

// links listens to one agent at a time over the Link, where there is one.
type links struct {
	ctx   context.Context
	link  Link
	nudge func(pull.Nudge)

	stop      context.CancelFunc
	listening sync.WaitGroup
}

// listen listens to that agent instead of the former one.
func (l *links) listen(agent string) {
	if l.link == nil {
		return
	}
	l.end()
	ctx, cancel := context.WithCancel(l.ctx)
	l.stop = cancel
	l.listening.Go(func() { l.link.Listen(ctx, agent, l.nudge) })
}

// end waits until nothing listens.
func (l *links) end() {
	if l.stop != nil {
		l.stop()
	}
	l.listening.Wait()
}
