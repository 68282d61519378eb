package usecase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A Registry is where the registrations of agents below go.
type Registry interface {
	// Pass hands a registration on that came through the agents of that path, and
	// returns the answer as it came. It fails with domain.ErrAway, or with what was
	// said against it.
	Pass(ctx context.Context, registration []byte, path []string) ([]byte, error)
	// Seen tells which agents below live, and returns what is said of them.
	Seen(ctx context.Context, seen []config.Seen) (domain.Heard, error)
}

const (
	// maxMembers is how many agents stand below one at most, as many as a
	// controller keeps.
	maxMembers = 20_000
	// seenEvery is how often is told who lives where nobody says how often to poll.
	seenEvery = 15 * time.Second
)

// A Ring is the agents below this one. It passes their registrations on, once, and
// tells in one request each poll interval which of them live, so that they cost
// what stands above no more for being many. Where one of them polls more often than
// this one does, it tells as often: above it would be taken for lost otherwise.
type Ring struct {
	registry Registry
	interval func() time.Duration
	logger   *slog.Logger

	mu      sync.Mutex
	members map[string]*domain.Member
	soonest time.Duration // the shortest poll interval of those that live, 0 for none
}

// NewRing returns a Ring of nobody. interval is the poll interval that upstream told.
func NewRing(registry Registry, interval func() time.Duration, logger *slog.Logger) *Ring {
	return &Ring{registry: registry, interval: interval, logger: logger, members: map[string]*domain.Member{}}
}

// Register passes a registration on and returns the answer. One that was answered
// before is answered from memory. It fails with domain.ErrTooMany, or as
// Registry.Pass does.
func (r *Ring) Register(ctx context.Context, id string, registration []byte, path []string) ([]byte, error) {
	now := time.Now()
	r.mu.Lock()
	known, ok := r.members[id]
	if !ok && len(r.members) >= maxMembers {
		r.mu.Unlock()
		return nil, fmt.Errorf("%w: %d agents below this one", domain.ErrTooMany, maxMembers)
	}
	if ok && known.Fresh(string(registration), now) {
		known.Seen = now
		answer, err := answerOf(*known)
		r.mu.Unlock()
		return answer, err
	}
	r.mu.Unlock()
	answer, err := r.registry.Pass(ctx, registration, path)
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, domain.ErrAway) && ok && known.Said == string(registration) {
		known.Seen = now
		return answerOf(*known) // the last one there was
	}
	if err != nil {
		return nil, err
	}
	member := domain.Member{Said: string(registration), Answer: answer, Answered: now, Seen: now, Told: now}
	if known := r.members[id]; known != nil {
		member.Asking = known.Asking
	}
	var said struct {
		Interval float64           `json:"poll_interval_seconds"`
		Accepted []json.RawMessage `json:"accepted"`
	}
	if json.Unmarshal(answer, &said) == nil {
		member.Polls = said.Interval
	}
	if len(said.Accepted) > 0 { // it holds for a moment only: what an operator let through is done with once the agent has it
		member.Answered = time.Time{}
	}
	r.members[id] = &member
	r.expect(member, now)
	return answer, nil
}

// expect notes how often a member is expected to be heard of. r.mu is held.
func (r *Ring) expect(m domain.Member, at time.Time) {
	if often := m.Expected(at); often > 0 && (r.soonest == 0 || often < r.soonest) {
		r.soonest = often
	}
}

// Every is how often what stands above expects to hear from here: the poll interval
// that upstream told, or the shorter one of an agent below; 0 where none is known.
func (r *Ring) Every() time.Duration {
	own := r.interval()
	r.mu.Lock()
	defer r.mu.Unlock()
	if own <= 0 || r.soonest > 0 && r.soonest < own {
		return r.soonest
	}
	return own
}

// answerOf is what a member is answered: what was said above, with what an operator
// set since then.
func answerOf(m domain.Member) ([]byte, error) {
	if m.Set == nil {
		return m.Answer, nil
	}
	said := map[string]any{}
	if err := json.Unmarshal(m.Answer, &said); err != nil {
		return m.Answer, nil //nolint:nilerr // it is handed on as it came
	}
	said["poll_interval_seconds"], said["namespaces"] = m.Set.Interval, m.Set.Namespaces
	if delete(said, "accepted"); len(m.Set.Accepted) > 0 {
		said["accepted"] = m.Set.Accepted
	}
	return json.Marshal(said)
}

// Asking notes that an agent below asks for something; done is called once it is
// answered. A request that is held is a sign of life all along. An agent that did
// not register here is nobody.
func (r *Ring) Asking(id string) (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.members[id]
	if !ok {
		return func() {}
	}
	known.Asking++
	known.Seen = time.Now()
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if known := r.members[id]; known != nil {
			known.Asking--
			known.Seen = time.Now()
		}
	}
}

// Heard takes over what an agent below says of those below itself, and returns what
// is known of them here: those that are to register, and what is set of others.
func (r *Ring) Heard(seen []config.Seen) (told domain.Heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	told.Agents = map[string]domain.Assignment{}
	for _, each := range seen {
		known, ok := r.members[each.Agent]
		if !ok {
			told.Unknown = append(told.Unknown, each.Agent)
			continue
		}
		if at := now.Add(-time.Duration(min(each.Age, 1e6) * float64(time.Second))); at.After(known.Seen) {
			known.Seen = at
		}
		if known.Set != nil {
			told.Agents[each.Agent] = *known.Set
		}
	}
	return told
}

// Leave forgets agents that said goodbye.
func (r *Ring) Leave(stopped []config.Stopped) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, each := range stopped {
		if each.OfAgent() {
			delete(r.members, each.Agent)
		}
	}
}

// Interval is the poll interval that an agent below is told by what stands above,
// 0 where that is not known.
func (r *Ring) Interval(id string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.members[id]; ok {
		return known.Interval()
	}
	return 0
}

// Len is how many agents stand below.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.members)
}
