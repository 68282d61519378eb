package domain

import "time"

// An UpstreamState is how what stands above an agent is doing.
type UpstreamState struct {
	URL         string    // the address that answered last, or was tried
	OK          bool      // the last request was answered
	LastSuccess time.Time // zero for never
	LastError   string    // of the last request, "" if it was answered

	Agent   string       // who answers there, "" for a controller or where that is not known
	Asked   bool         // at least once
	Circuit CircuitState // whether it is asked
	RetryAt time.Time    // when it is asked again, zero where the circuit is closed
	Behind  int          // namespaces of which it has less than others, or cannot confirm it
}

// Observe returns the state after a request to an address that ended so.
func (s UpstreamState) Observe(address string, err error, at time.Time) UpstreamState {
	s.URL, s.OK, s.LastError, s.Asked = address, err == nil, "", true
	if err == nil {
		s.LastSuccess = at
	} else {
		s.LastError = err.Error()
	}
	return s
}
