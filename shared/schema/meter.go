package schema

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Bounds of what a schema may cost. A step is some tenths of a microsecond; a
// schema of a few lines can ask for more of them than there is time. The steps are
// what counts, so that a verdict is the same every time; the time is for a machine
// that is short of it.
const (
	maxSteps      = 4 << 20
	maxTime       = 5 * time.Second
	maxSubschemas = 10_000
	maxPattern    = 8 << 10 // bytes
	// stepsOfPattern is how many steps of a regular expression count as one.
	stepsOfPattern = 64
	// clockEvery is after how many counts the clock is looked at.
	clockEvery = 1 << 12
	// fewValues is how many values of an enum are compared one by one.
	fewValues = 8
)

var errTooCostly = errors.New("checking it would take too long")

// A meter counts what compiling or checking costs, and ends what costs too much.
type meter struct {
	left    int
	taken   int // how often, since the clock was looked at
	expires time.Time
}

func (m *meter) begin() { m.left, m.expires = maxSteps, time.Now().Add(maxTime) }

// spent is how the library is left in the middle of its work: it has no other way
// out.
type spent struct{}

func (m *meter) take(steps int) {
	m.taken++
	late := m.taken%clockEvery == 0 && time.Now().After(m.expires)
	if m.left -= steps; m.left < 0 || late {
		panic(spent{})
	}
}

// guarded runs the library's work until its end, or until its means are spent.
func guarded(work func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			if _, ok := reason.(spent); !ok {
				panic(reason)
			}
			err = errTooCostly
		}
	}()
	return work()
}

func (m *meter) compile(compiler *jsonschema.Compiler, url string) (compiled *jsonschema.Schema, err error) {
	err = guarded(func() (err error) {
		compiled, err = compiler.Compile(url)
		return err
	})
	return compiled, err
}

func (m *meter) validate(s *jsonschema.Schema, value any) error {
	return guarded(func() error { return s.Validate(value) })
}

// A pattern is a regular expression that counts its steps. Go's take time in
// proportion to the text and to their own length, however nasty they are.
type pattern struct {
	*regexp.Regexp
	length int // in instructions
	meter  *meter
}

// MatchString reports whether the text contains a match.
func (p pattern) MatchString(text string) bool {
	p.meter.take(1 + len(text)*p.length/stepsOfPattern)
	return p.Regexp.MatchString(text)
}

// pattern compiles a regular expression of JavaScript, as far as Go has the same.
func (m *meter) pattern(text string) (jsonschema.Regexp, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("a pattern has at most %d bytes", maxPattern)
	}
	translated := ofJavaScript(text)
	parsed, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	m.take(len(program.Inst))
	compiled, err := regexp.Compile(translated)
	return pattern{Regexp: compiled, length: len(program.Inst), meter: m}, err
}

// vocabulary makes each subschema count what it does: that is the library's only
// way to be called during its work.
func (m *meter) vocabulary() *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL: home + "meter",
		Compile: func(ctx *jsonschema.CompilerContext, object map[string]any) (jsonschema.SchemaExt, error) {
			if time.Now().After(m.expires) {
				return nil, errTooCostly
			}
			cost := &cost{meter: m, steps: 1}
			for _, member := range object {
				if list, ok := member.([]any); ok {
					cost.steps += len(list)
				}
			}
			cost.quicken(ctx.Enqueue(nil))
			return cost, nil
		},
	}
}

// A cost is what a subschema takes each time that a value meets it.
type cost struct {
	meter  *meter
	steps  int
	enum   map[string]bool // its values where they are many
	listed []any
}

// quicken takes a long enum over from the library, which compares value by value.
func (c *cost) quicken(s *jsonschema.Schema) {
	if s.Enum == nil || len(s.Enum.Values) <= fewValues {
		return
	}
	c.enum, c.listed = map[string]bool{}, s.Enum.Values
	for _, value := range c.listed {
		c.enum[canonical(value)] = true
	}
	c.steps -= len(c.listed)
	s.Enum = nil
}

// Validate counts, and looks a value up in a long enum.
func (c *cost) Validate(ctx *jsonschema.ValidatorContext, value any) {
	c.meter.take(c.steps + breadth(value))
	if c.enum != nil && !c.enum[canonical(value)] {
		ctx.AddError(&kind.Enum{Got: value, Want: c.listed})
	}
}

func breadth(value any) int {
	switch value := value.(type) {
	case []any:
		return len(value)
	case map[string]any:
		return len(value)
	case string:
		return len(value) / stepsOfPattern
	}
	return 0
}

// checkSize refuses a schema of more parts than can be compiled in a moment.
func checkSize(schema any) error {
	if objects(schema) > maxSubschemas {
		return fmt.Errorf("it has more than %d objects", maxSubschemas)
	}
	return nil
}

func objects(value any) int {
	n := 0
	switch value := value.(type) {
	case map[string]any:
		n++
		for _, member := range value {
			n += objects(member)
		}
	case []any:
		for _, element := range value {
			n += objects(element)
		}
	}
	return n
}
