// Package pull is the pull protocol, both ends of it: a Handler serves snapshots
// and single configs with conditional and held GETs, a Client fetches a snapshot
// and verifies it, a Puller decides when to ask. Every hop uses the same three.
// It depends on the standard library alone; it knows no bus, no disk and no
// service.
package pull

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// The protocol's own header fields.
const (
	headerAccepted  = "Herald-Accepted"
	headerAgent     = "Herald-Agent"
	headerEpoch     = "Herald-Epoch"
	headerInterval  = "Herald-Poll-Interval"
	headerRevision  = "Herald-Revision"
	headerSignature = "Herald-Signature"
	headerStale     = "Herald-Stale"
)

// MaxWait is how long a request is held at most, whatever it asks for.
const MaxWait = 60 * time.Second

// Why there is nothing to serve, or nothing new to have.
var (
	// ErrNotFound means that the namespace, or the config, does not exist. It is
	// never a deletion: who holds a body keeps it.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable means that there may be something, but it cannot be served now.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnverified means that an answer is not what it claims to be.
	ErrUnverified = errors.New("answer not verified")
)

// SnapshotPath is where a namespace is pulled.
func SnapshotPath(namespace config.Name) string {
	return "/v1/namespaces/" + string(namespace) + "/snapshot"
}

// Wait reads how long a request may be held: the wait preference of RFC 7240,
// at most MaxWait, 0 where there is none that parses.
func Wait(h http.Header) time.Duration {
	for _, header := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(header, ",") {
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			value, _, _ = strings.Cut(value, ";")
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 64)
			if err == nil || errors.Is(err, strconv.ErrRange) { // of what is out of range it is the most there is
				return time.Duration(min(seconds, uint64(MaxWait/time.Second))) * time.Second
			}
		}
	}
	return 0
}

// SetInterval writes the poll interval that an asker is told.
func SetInterval(h http.Header, interval time.Duration) {
	if interval > 0 {
		h.Set(headerInterval, formatSeconds(interval))
	}
}

// SetAgent writes whose config-fetched an asker may listen to.
func SetAgent(h http.Header, id string) { h.Set(headerAgent, id) }

// SetAge writes when a cached body was last confirmed upstream, and whether it
// can be confirmed at all now.
func SetAge(h http.Header, age time.Duration, stale bool) {
	h.Set("Age", strconv.FormatInt(int64(age/time.Second), 10))
	if stale {
		h.Set(headerStale, "true")
	}
}

// Asker returns the ID of the agent that asks, or "".
func Asker(r *http.Request) string {
	id := r.Header.Get(headerAgent)
	if config.CheckAgentID(id) != nil {
		return ""
	}
	return id
}

func formatSeconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// ageOf reads how old a body is at most. An agent says whole seconds that are over;
// with one more no hop on the way takes anything off.
func ageOf(h http.Header) time.Duration {
	const century = 100 * 365 * 86_400
	said := h.Get("Age")
	if said == "" {
		return 0 // a controller's
	}
	return parse(said, century) + time.Second
}

// maxSeconds is the longest time that somebody else may set: a day.
const maxSeconds = 86_400

// parseSeconds reads a number of seconds, 0 where there is none.
func parseSeconds(s string) time.Duration { return parse(s, maxSeconds) }

// parse reads a number of seconds, which counts up to most.
func parse(s string, most float64) time.Duration {
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(seconds) || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, most) * float64(time.Second))
}
