package handler

import (
	"net/http"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// signs is what an agent is told of those below it that it has seen: who is to
// register, and what an operator has set of the others, or let through there. What
// is set of none of them costs nothing, however many they are.
type signs struct {
	Unknown []string              `json:"unknown,omitempty"`
	Agents  map[string]assignment `json:"agents,omitempty"`
}

type assignment struct {
	Interval   float64       `json:"poll_interval_seconds"`
	Namespaces []config.Name `json:"namespaces"`
	Accepted   []acceptance  `json:"accepted,omitempty"`
}

// seen notes which agents below another one live, and returns how many it did not
// believe.
func (h *Handler) seen(r *http.Request, seen []config.Seen, told *signs) (refused int) {
	token := tokenOf(r)
	for _, each := range seen {
		if each.Check() != nil || !h.Fleet.Hears(token.Actor(), each.Agent) {
			refused++
			continue
		}
		age := time.Duration(min(each.Age, forgotten.Seconds()) * float64(time.Second))
		known, ok := h.Fleet.Seen(each.Agent, age)
		accepted := acceptances(known, token.Namespaces)
		switch {
		case !ok:
			told.Unknown = append(told.Unknown, each.Agent)
		case known.Agent.Interval > 0 || len(known.Assigned) > 0 || len(accepted) > 0:
			if told.Agents == nil {
				told.Agents = map[string]assignment{}
			}
			body := bodyOf(known, token.Namespaces)
			told.Agents[each.Agent] = assignment{Interval: body.Interval, Namespaces: body.Follows, Accepted: accepted}
		}
	}
	return refused
}

// forgotten is an age beyond which it makes no difference.
const forgotten = 7 * 24 * time.Hour
