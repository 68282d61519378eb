package bus

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

// between is how long a complaint is not repeated.
const between = time.Minute

// seldom lets each complaint through once in a while.
type seldom struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func newSeldom() *seldom { return &seldom{last: map[string]time.Time{}} }

func (s *seldom) may(complaint string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.last[complaint]; ok && now.Sub(last) < between {
		return false
	}
	s.last[complaint] = now
	return true
}

// levelTrace is below debug: Watermill says several things of each message.
const levelTrace = slog.LevelDebug - 4

// watermillLog is what Watermill logs to: what it tells is for debugging, and
// what it complains of is said once in a while.
type watermillLog struct {
	logger *slog.Logger
	seldom *seldom
}

func newWatermillLog(logger *slog.Logger) watermill.LoggerAdapter {
	return watermillLog{logger: logger, seldom: newSeldom()}
}

// Error tells a complaint.
func (l watermillLog) Error(msg string, err error, fields watermill.LogFields) {
	if l.seldom.may(msg) {
		l.log(slog.LevelWarn, msg, fields.Add(watermill.LogFields{"error": err}))
	}
}

// Info tells what Watermill thinks worth knowing; to us it is for debugging.
func (l watermillLog) Info(msg string, fields watermill.LogFields) {
	l.log(slog.LevelDebug, msg, fields)
}

// Debug tells what is for debugging.
func (l watermillLog) Debug(msg string, fields watermill.LogFields) {
	l.log(slog.LevelDebug, msg, fields)
}

// Trace tells of each message.
func (l watermillLog) Trace(msg string, fields watermill.LogFields) {
	l.log(levelTrace, msg, fields)
}

// With has the fields in every line.
func (l watermillLog) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return watermillLog{logger: slog.New(l.logger.Handler().WithAttrs(attributes(fields))), seldom: l.seldom}
}

func (l watermillLog) log(level slog.Level, msg string, fields watermill.LogFields) {
	if ctx := context.Background(); l.logger.Enabled(ctx, level) {
		l.logger.LogAttrs(ctx, level, "watermill", append(attributes(fields), slog.String("says", msg))...)
	}
}

func attributes(fields watermill.LogFields) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(fields))
	for key, value := range fields {
		attrs = append(attrs, slog.Any(key, value))
	}
	return attrs
}
