package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heraldconf/herald/events/bus"
	"github.com/heraldconf/herald/shared/settings"
)

// maxLine is how long a message may be that produce makes of a line.
const maxLine = 1 << 20

// A lineFormat is how consume writes a message.
type lineFormat string

const (
	linePayload lineFormat = "payload"
	lineJSON    lineFormat = "json"
)

// Set takes payload or json; text, the general word, is the payload.
func (f *lineFormat) Set(value string) error {
	switch lineFormat(value) {
	case lineFormat(text):
		*f = linePayload
	case linePayload, lineJSON:
		*f = lineFormat(value)
	default:
		return fmt.Errorf("use %s or %s", linePayload, lineJSON)
	}
	return nil
}

// String returns the format's name.
func (f *lineFormat) String() string { return string(*f) }

// Type names what the flag takes.
func (f *lineFormat) Type() string { return "payload|json" }

// A line to the bus is what consume and produce are both told.
type busFlags struct{ bus, topic string }

func (b *busFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.bus, "bus", "", "the bus: redis://HOST:PORT (streams) or redis+pubsub://HOST:PORT (needed)")
	cmd.Flags().StringVarP(&b.topic, "topic", "t", "", "the topic: config-changed, config-applied or config-fetched.AGENT (needed)")
}

// open opens the bus and sees to it that it answers.
func (b *busFlags) open(ctx context.Context) (*bus.Bus, error) {
	switch {
	case b.topic == "":
		return nil, settings.Usagef("say which topic, as in: -t config-changed")
	case b.bus == "" || b.bus == "none":
		return nil, settings.Usagef("say which bus, with --bus redis://127.0.0.1:6379 or HERALD_BUS")
	case strings.HasPrefix(b.bus, "memory:"):
		return nil, settings.Usagef("--bus: a memory bus lives within one process; use redis:// or redis+pubsub://")
	}
	opened, err := bus.Open(b.bus, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, settings.Usagef("--bus: %w", err)
	}
	if err := opened.Ping(ctx); err != nil {
		_ = opened.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: the bus does not answer: %w; is Redis running there?", errUnavailable, err)
	}
	return opened, nil
}

func (t *tool) events() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "events",
		Short: "See what passes on the bus, or put messages there",
		Long: `Shows what the services tell each other on the bus, and tells it for a script. What
passes are hints: whoever hears one pulls, so a message too many costs a request, never
correctness. With Redis Streams redis-cli shows the same:

  redis-cli XRANGE config-changed - +
  redis-cli XINFO STREAM config-changed
  redis-cli XREAD BLOCK 0 STREAMS config-changed '$'`,
		Example: `  herald events consume --bus redis://127.0.0.1:6379 -t config-applied
  echo '{"namespace":"payments"}' | herald events produce --bus redis://127.0.0.1:6379 -t config-changed`,
	}, t.consume(), t.produce())
}

func (t *tool) consume() *cobra.Command {
	var on busFlags
	fromBeginning, format := false, linePayload
	cmd := &cobra.Command{
		Use:   "consume -t TOPIC",
		Short: "Print the messages of a topic, a line each",
		Long: `Prints each message of a topic as one line, as it comes, until it is interrupted: the
payload, or with -o json an object of uuid, topic, metadata and payload. With
--from-beginning it begins with the oldest message that the stream keeps.`,
		Example: `  herald events consume --bus redis://127.0.0.1:6379 -t config-changed
  herald events consume --bus redis://127.0.0.1:6379 -t config-applied --from-beginning -o json`,
		Args: arguments(0, 0, "herald events consume -t config-changed"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runConsume(cmd, on, fromBeginning, format)
		},
	}
	on.add(cmd)
	cmd.Flags().BoolVar(&fromBeginning, "from-beginning", false, "begin with the oldest message that is kept (streams alone keep any)")
	cmd.Flags().VarP(&format, "output", "o", "how a message is written: payload or json")
	return cmd
}

func runConsume(cmd *cobra.Command, on busFlags, fromBeginning bool, format lineFormat) error {
	b, err := on.open(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	err = b.Consume(cmd.Context(), on.topic, fromBeginning, func(m bus.Message) error {
		if format == lineJSON {
			return writeJSON(cmd.OutOrStdout(), messageOf(m))
		}
		return written(cmd.OutOrStdout().Write(append(oneLine(m.Payload), '\n')))
	})
	if errors.Is(err, bus.ErrNoHistory) {
		return settings.Usagef("--from-beginning: %w", err)
	}
	return err
}

// messageOf is a message as JSON. A payload that is JSON stands as such, any
// other as a string.
func messageOf(m bus.Message) any {
	payload := json.RawMessage(m.Payload)
	if !json.Valid(payload) {
		payload, _ = json.Marshal(string(m.Payload)) // a string always encodes
	}
	return struct {
		UUID     string            `json:"uuid"`
		Topic    string            `json:"topic"`
		Metadata map[string]string `json:"metadata"`
		Payload  json.RawMessage   `json:"payload"`
	}{m.UUID, m.Topic, m.Metadata, payload}
}

// oneLine is a payload without the line breaks that it may have.
func oneLine(payload []byte) []byte {
	var compact bytes.Buffer
	if json.Compact(&compact, payload) == nil {
		return compact.Bytes()
	}
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, payload)
}

func (t *tool) produce() *cobra.Command {
	var on busFlags
	cmd := &cobra.Command{
		Use:   "produce -t TOPIC",
		Short: "Make a message of each line of standard input",
		Long: `Publishes each line of standard input as the payload of one message, and ends at the
end of the input. Empty lines are left out.`,
		Example: `  echo '{"namespace":"payments"}' | herald events produce --bus redis://127.0.0.1:6379 -t config-changed
  redis-cli XADD config-changed MAXLEN '~' 1000 '*' payload '{"namespace":"payments"}'    # the same`,
		Args: arguments(0, 0, "herald events produce -t config-changed"),
		RunE: func(cmd *cobra.Command, _ []string) error { return runProduce(cmd, on) },
	}
	on.add(cmd)
	return cmd
}

func runProduce(cmd *cobra.Command, on busFlags) error {
	b, err := on.open(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	lines := bufio.NewScanner(cmd.InOrStdin())
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	number, produced := 0, 0
	for cmd.Context().Err() == nil && lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := b.Produce(cmd.Context(), on.topic, bytes.Clone(line)); err != nil {
			return fmt.Errorf("%w: line %d and what follows it were not published: %w", errUnavailable, number, err)
		}
		produced++
	}
	say(cmd, "published %d messages to %s", produced, on.topic)
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read line %d of standard input: %w", number+1, err)
	}
	return cmd.Context().Err()
}
