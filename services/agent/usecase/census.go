package usecase

import (
	"cmp"
	"context"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Run tells about as often as is expected who lives, until ctx ends.
func (r *Ring) Run(ctx context.Context) {
	for ctx.Err() == nil {
		r.rest(ctx)
		if ctx.Err() == nil {
			r.tell(ctx)
		}
	}
}

// rest waits for as long as who stands above does, which may come to be known, or
// change, meanwhile.
func (r *Ring) rest(ctx context.Context) {
	for began := time.Now(); ctx.Err() == nil; {
		left := cmp.Or(r.Every(), seenEvery) - time.Since(began)
		if left <= 0 {
			return
		}
		pause(ctx, min(left, restStep))
	}
}

// tell says who was heard since the last time; what is not heard is said again.
func (r *Ring) tell(ctx context.Context) {
	seen, at := r.due(time.Now())
	if len(seen) == 0 {
		return
	}
	heard, err := r.registry.Seen(ctx, seen)
	if err != nil {
		r.logger.Debug("who lives below was not heard; it is said again", "agents", len(seen), "error", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, each := range seen {
		known, ok := r.members[each.Agent]
		if !ok {
			continue
		}
		known.Told = at
		var set *domain.Assignment
		if said, ok := heard.Agents[each.Agent]; ok {
			set = &said
		}
		*known = known.Hear(set)
		r.expect(*known, at)
	}
	for _, id := range heard.Unknown {
		if known, ok := r.members[id]; ok {
			known.Answered = time.Time{} // so that its next registration is passed on
		}
	}
}

// due are those that were heard since it was told last.
func (r *Ring) due(now time.Time) (seen []config.Seen, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.soonest = 0
	for id, m := range r.members {
		r.expect(*m, now)
		if m.Asking > 0 {
			m.Seen = now
		}
		if m.Seen.After(m.Told) {
			seen = append(seen, config.Seen{Agent: id, Age: max(0, now.Sub(m.Seen).Seconds())})
		}
		if now.Sub(m.Seen) > 24*time.Hour {
			delete(r.members, id)
		}
	}
	return seen, now
}
