package config

import (
	"errors"
	"math"
)

// ErrAge means that somebody was seen in the future.
var ErrAge = errors.New("an age is 0 or more seconds")

// Seen says that an agent below another one lives. The age is told instead of a
// time, so that clocks which differ make nobody late.
type Seen struct {
	Agent string  `json:"agent"`
	Age   float64 `json:"age_seconds"`
}

// Check returns an error unless it says of whom.
func (s Seen) Check() error {
	if s.Age < 0 || math.IsNaN(s.Age) {
		return ErrAge
	}
	return CheckAgentID(s.Agent)
}
