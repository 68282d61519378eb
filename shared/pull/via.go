package pull

import (
	"net/http"
	"strings"

	"github.com/heraldconf/herald/shared/config"
)

// headerVia is RFC 9110's: whom an answer, or a report, came through.
const headerVia = "Via"

// maxVia bounds how much of somebody else's Via is read.
const maxVia = 32

// SetVia writes the agents that something came through, the first one first.
func SetVia(h http.Header, path []string) {
	if len(path) == 0 {
		return
	}
	h.Set(headerVia, "1.1 "+strings.Join(path, ", 1.1 "))
}

// Via reads the agents that something came through, the first one first. What
// cannot be an agent, as another proxy's host:port, is left out.
func Via(h http.Header) []string {
	var path []string
	for _, header := range h.Values(headerVia) {
		for entry := range strings.SplitSeq(header, ",") {
			fields := strings.Fields(entry)
			if len(fields) >= 2 && config.CheckAgentID(fields[1]) == nil && len(path) < maxVia {
				path = append(path, fields[1])
			}
		}
	}
	return path
}
