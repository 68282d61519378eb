package domain

import (
	"errors"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// ErrAway means that nobody above answers now, so that a registration cannot be
// passed on.
var ErrAway = errors.New("upstream does not answer")

// Heard is what is said above of the agents below: who is to register, and what an
// operator has set of the others.
type Heard struct {
	Unknown []string              `json:"unknown,omitempty"`
	Agents  map[string]Assignment `json:"agents,omitempty"`
}

// An Assignment is what an operator has set of an agent, and let through there.
type Assignment struct {
	Interval   float64       `json:"poll_interval_seconds"`
	Namespaces []config.Name `json:"namespaces"`
	Accepted   []Acceptance  `json:"accepted,omitempty"`
}

// A Member is an agent below this one, as it registered here.
type Member struct {
	Said     string      // its registration, as it was passed on
	Answer   []byte      // what was said to that above
	Answered time.Time   // when
	Polls    float64     // how often it is to poll, in seconds, as that said
	Set      *Assignment // by an operator since then; nil for nothing
	Seen     time.Time   // when it was heard last
	Told     time.Time   // what of that was told above
	Asking   int         // requests of its that are answered just now
}

// answerKept is how long an answer stands for the same registration. What changes
// meanwhile comes with what is said of those that are seen.
const answerKept = time.Hour

// Fresh reports whether the member said just this before, and what it was answered
// may still be true.
func (m Member) Fresh(said string, at time.Time) bool {
	return m.Answer != nil && m.Said == said && at.Sub(m.Answered) < answerKept
}

// Interval is how often the member is to poll, 0 where that is not known: as an
// operator set it, or else as its registration was answered.
func (m Member) Interval() time.Duration {
	seconds := m.Polls
	if m.Set != nil {
		seconds = m.Set.Interval
	}
	return time.Duration(min(max(seconds, 0), 86_400) * float64(time.Second))
}

// lostAfter is how many poll intervals of silence make an agent lost.
const lostAfter = 5

// Expected is how often the member is expected to be heard of above, 0 for no more.
func (m Member) Expected(at time.Time) time.Duration {
	if interval := m.Interval(); m.Asking > 0 || at.Sub(m.Seen) <= lostAfter*interval {
		return interval
	}
	return 0
}

// Hear returns the member after what is said above of it. What an operator set, and
// took back, is asked for anew: the answer is dropped.
func (m Member) Hear(set *Assignment) Member {
	if set == nil && m.Set != nil {
		m.Answered = time.Time{}
	}
	m.Set = set
	return m
}
