//go:build unix

package supervise

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode"
)

const (
	// maxTail is how much of what a program says last is remembered, and maxLast
	// how much of that goes into a verdict.
	maxTail = 8 << 10
	maxLast = 800
)

// An output hands on what a program says, as it says it.
type output struct {
	from, write *os.File
	to          *os.File
	tail        *tail
	ended       chan struct{}
}

// outputs gives the program its standard output and error. What goes to a file or
// a pipe is remembered on the way; on a terminal the program gets standard output
// itself, since it may behave differently there. If both go to the same file they
// share one pipe, so that their lines stay in order.
func (s *Supervisor) outputs(c *child) ([]*output, error) {
	failed, err := newOutput(s.program.Stderr, c.tail)
	if err != nil {
		return nil, err
	}
	c.cmd.Stderr = failed.write
	switch {
	case sameFile(s.program.Stdout, s.program.Stderr) && !isTerminal(s.program.Stdout):
		c.cmd.Stdout = failed.write
		return []*output{failed}, nil
	case isTerminal(s.program.Stdout):
		c.cmd.Stdout = s.program.Stdout
		return []*output{failed}, nil
	}
	said, err := newOutput(s.program.Stdout, c.tail)
	if err != nil {
		failed.begin(false)
		return nil, err
	}
	c.cmd.Stdout = said.write
	return []*output{failed, said}, nil
}

func sameFile(a, b *os.File) bool {
	is, err := a.Stat()
	if err != nil {
		return false
	}
	other, err := b.Stat()
	return err == nil && os.SameFile(is, other)
}

func newOutput(to *os.File, tail *tail) (*output, error) {
	from, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a pipe for its output: %w", err)
	}
	return &output{from: from, write: write, to: to, tail: tail, ended: make(chan struct{})}, nil
}

// begin hands on until nobody writes any more. Where nobody reads any more the
// pipe is closed, so that the program learns of it.
func (o *output) begin(started bool) {
	_ = o.write.Close() // the program has its own
	if !started {
		_ = o.from.Close()
		return
	}
	go func() {
		defer close(o.ended)
		defer func() { _ = o.from.Close() }()
		_, _ = io.Copy(o, o.from)
	}()
}

func (o *output) Write(b []byte) (int, error) {
	o.tail.add(b)
	return o.to.Write(b)
}

// A tail remembers the last bytes of what a program said.
type tail struct {
	mu    sync.Mutex
	bytes []byte
}

func (t *tail) add(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = append(t.bytes, b[max(0, len(b)-maxTail):]...)
	if over := len(t.bytes) - maxTail; over > 0 {
		t.bytes = append(t.bytes[:0], t.bytes[over:]...)
	}
}

// last returns the last lines, without what would do something to a terminal.
func (t *tail) last() string {
	t.mu.Lock()
	text := strings.ToValidUTF8(string(t.bytes), "")
	t.mu.Unlock()
	var lines []string
	size := 0
	for _, line := range slices.Backward(strings.Split(text, "\n")) {
		line = strings.TrimRight(printable(line), " ")
		if line == "" {
			continue
		}
		if size += len(line) + 1; size > maxLast && len(lines) > 0 {
			break
		}
		lines = append(lines, cut(line))
	}
	slices.Reverse(lines)
	return strings.Join(lines, "\n")
}

// cut keeps the beginning of a long line.
func cut(line string) string {
	if len(line) <= maxLast {
		return line
	}
	return strings.ToValidUTF8(line[:maxLast], "") + "…"
}

func printable(line string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\t':
			return ' '
		case !unicode.IsPrint(c):
			return -1
		}
		return c
	}, line)
}
