package pull

import (
	"context"
	"errors"
	"io"
	"time"
)

const (
	// silence is how long an upstream may say nothing: before its answer begins,
	// beyond what the request was held for, and before each further stride. It is
	// longer than an agent waits for its own upstream, and shorter than the poll
	// interval of most, so that one that hangs costs no more than a poll.
	silence = 8 * time.Second
	// stride is how much of a body must come in that time, or be all that is left:
	// a body that drips is as good as none.
	stride = 64 << 10
)

// errSilent means that an upstream took a request and then said nothing, or next
// to nothing, for too long.
var errSilent = errors.New("upstream accepts the request and then says nothing")

// A vigil ends a request whose answer does not come on.
type vigil struct {
	io.ReadCloser // the answer's body, once it has begun

	timer *time.Timer
	left  int // of the stride
}

// keepVigil returns a context that ends with errSilent if nothing is heard for
// longer than wait and the silence after it. stop is to be called in the end.
func keepVigil(ctx context.Context, wait time.Duration) (held context.Context, v *vigil, stop func()) {
	held, end := context.WithCancelCause(ctx)
	v = &vigil{timer: time.AfterFunc(wait+silence, func() { end(errSilent) })}
	return held, v, func() {
		v.timer.Stop()
		end(nil)
	}
}

// begun notes that the answer has begun: its body is read through the vigil.
func (v *vigil) begun(body io.ReadCloser) io.ReadCloser {
	v.ReadCloser = body
	v.goOn()
	return v
}

func (v *vigil) goOn() {
	v.left = stride
	v.timer.Reset(silence)
}

func (v *vigil) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	if v.left -= n; v.left <= 0 {
		v.goOn()
	}
	return n, err
}
