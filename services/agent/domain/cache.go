package domain

import "time"

// A CacheState is how an agent's disk is doing.
type CacheState struct {
	LastError string    // of the last try to keep something, "" if it was kept
	Since     time.Time // when it began to fail, or to work again; zero for always
}

// OK reports whether the disk keeps what it is given.
func (c CacheState) OK() bool { return c.LastError == "" }

// Observe returns the state after something was to be kept that ended so.
func (c CacheState) Observe(err error, at time.Time) CacheState {
	before := c.OK()
	if c.LastError = ""; err != nil {
		c.LastError = err.Error()
	}
	if c.OK() != before {
		c.Since = at
	}
	return c
}
