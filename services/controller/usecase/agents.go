package usecase

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// An AgentView is an agent as somebody sees it who asks.
type AgentView struct {
	domain.Agent
	State    domain.AgentState
	Interval time.Duration // what it is told
}

// Registered is called when an agent says what it is. It keeps the agent before it
// returns, since what an operator sees should survive a crash. It fails with
// ErrFull, or as Register.Save does.
func (f *Fleet) Registered(ctx context.Context, r domain.Registration) (AgentView, error) {
	f.mu.Lock()
	known, ok := f.agents[r.ID]
	if (!ok && len(f.agents) >= maxAgents) || len(r.Namespaces) > maxNamespaces {
		f.mu.Unlock()
		return AgentView{}, fmt.Errorf("%w: no room for agent %s with %d namespaces", ErrFull, r.ID, len(r.Namespaces))
	}
	if !ok {
		known = &agent{}
		f.agents[r.ID] = known
	}
	if r.Owner == "" {
		r.Owner = known.Owner
	}
	same := ok && known.says(r) && known.StoppedAt.IsZero()
	known.Registration, known.LastSeen, known.StoppedAt = r, time.Now(), time.Time{}
	kept, view := known.Agent, f.view(known)
	f.mu.Unlock()
	if same {
		return view, nil
	}
	return view, f.keep(ctx, kept)
}

// says reports whether the agent has said just this before.
func (a *agent) says(r domain.Registration) bool {
	return a.ID == r.ID && a.Hostname == r.Hostname && a.Version == r.Version && a.Owner == r.Owner && a.Via == r.Via &&
		slices.Equal(a.Namespaces, r.Namespaces) && mapsEqual(a.Labels, r.Labels)
}

func mapsEqual(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		if other, ok := b[key]; !ok || other != value {
			return false
		}
	}
	return true
}

// keep saves one agent now, or leaves it to the next time.
func (f *Fleet) keep(ctx context.Context, a domain.Agent) error {
	if err := f.register.Save(ctx, []domain.Agent{a}, nil); err != nil {
		f.unsaved([]domain.Agent{a}, nil)
		return err
	}
	return nil
}

// An Assignment is what an operator sets of an agent. What is nil stays.
type Assignment struct {
	By         domain.Actor
	Interval   *time.Duration // 0 is the controller's own again
	Namespaces *[]config.Name
	DryRun     bool // only say what the agent would be
}

// Assign sets what an agent is told, and keeps it. It fails with ErrInterval,
// ErrFull, an error that wraps domain.ErrNotFound, or as Register.Save does.
func (f *Fleet) Assign(ctx context.Context, id string, set Assignment) (AgentView, error) {
	if i := set.Interval; i != nil && *i != 0 && (*i < MinInterval || *i > MaxInterval) {
		return AgentView{}, ErrInterval
	}
	if set.Namespaces != nil && len(*set.Namespaces) > maxNamespaces {
		return AgentView{}, fmt.Errorf("%w: an agent follows at most %d namespaces", ErrFull, maxNamespaces)
	}
	assign := func(a domain.Agent) (domain.Agent, error) {
		if set.Interval != nil {
			a.Interval = *set.Interval
		}
		if set.Namespaces != nil {
			a.Assigned = slices.Compact(slices.Sorted(slices.Values(*set.Namespaces)))
		}
		return a, nil
	}
	return f.change(ctx, id, set.DryRun, assign, func(a domain.Agent) domain.Entry { return a.Entry(set.By, time.Now()) })
}

// change makes of an agent what an operator wants, and keeps that, with its audit entry,
// before anybody is told; a dry run only says what the agent would be. It fails with an
// error that wraps domain.ErrNotFound, or as to and Register.Save do: then nothing has
// changed.
func (f *Fleet) change(
	ctx context.Context, id string, dry bool, to func(domain.Agent) (domain.Agent, error), told func(domain.Agent) domain.Entry,
) (AgentView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.agents[id]
	if !ok {
		return AgentView{}, fmt.Errorf("%w: agent %s", domain.ErrNotFound, id)
	}
	next, err := to(known.Agent)
	view := f.view(&agent{Agent: next, asking: known.asking})
	if err != nil || dry {
		return view, err
	}
	f.mu.Unlock()
	err = f.register.Save(ctx, []domain.Agent{next}, nil, told(next))
	f.mu.Lock()
	if known, ok = f.agents[id]; !ok { // forgotten meanwhile
		return view, err
	}
	known.kept.unsaved = true // what else became of it meanwhile was overwritten, or a write that failed is there
	if err != nil {
		return AgentView{}, err
	}
	if now, err := to(known.Agent); err == nil { // else it has come about otherwise
		known.Agent = now
	}
	return f.view(known), nil
}

// Agent returns one agent, or an error that wraps domain.ErrNotFound.
func (f *Fleet) Agent(id string) (AgentView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.agents[id]
	if !ok {
		return AgentView{}, fmt.Errorf("%w: agent %s", domain.ErrNotFound, id)
	}
	return f.view(known), nil
}

// Agents returns the agents behind that ID in the order of their IDs, at most
// limit, or all if limit is 0.
func (f *Fleet) Agents(after string, limit int) []AgentView {
	f.mu.Lock()
	defer f.mu.Unlock()
	var views []AgentView
	for id, a := range f.agents {
		if id > after {
			views = append(views, f.view(a))
		}
	}
	slices.SortFunc(views, func(a, b AgentView) int { return cmp.Compare(a.ID, b.ID) })
	if limit > 0 && len(views) > limit {
		views = views[:limit]
	}
	return views
}

// Hears reports whether the actor speaks for the agent of that ID. One that is not
// registered is whoever's of the role agent says so.
func (f *Fleet) Hears(actor domain.Actor, id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.agents[id]; ok {
		return known.Hears(actor)
	}
	return domain.Agent{}.Hears(actor)
}

// Asking notes that an agent asks for something; done is called once it is
// answered. A request that is held is a sign of life all along. An agent that is
// not registered is nobody.
func (f *Fleet) Asking(id string) (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.agents[id]
	if !ok {
		return func() {}
	}
	known.asking++
	known.LastSeen = time.Now()
	if !known.StoppedAt.IsZero() { // it is back
		known.StoppedAt, known.kept.unsaved = time.Time{}, true
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		known.asking--
		known.LastSeen = time.Now()
	}
}

// agentStopped records an agent's goodbye: it is lost until it asks again.
func (f *Fleet) agentStopped(s config.Stopped) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.agents[s.Agent]
	if !ok {
		return
	}
	now := time.Now()
	known.LastSeen, known.kept.unsaved = now, true
	if known.StoppedAt = s.At; s.At.IsZero() || s.At.After(now) {
		known.StoppedAt = now
	}
}

// Seen notes that an agent lives which an agent above it speaks of: it was heard
// age ago. It returns what is known of it, and false for one that is nobody.
func (f *Fleet) Seen(id string, age time.Duration) (AgentView, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.agents[id]
	if !ok {
		return AgentView{}, false
	}
	if at := time.Now().Add(-age); at.After(known.LastSeen) && at.After(known.StoppedAt) {
		known.LastSeen = at
		if !known.StoppedAt.IsZero() { // it is back
			known.StoppedAt, known.kept.unsaved = time.Time{}, true
		}
	}
	return f.view(known), true
}

// Interval is the poll interval that an agent is told; anybody else is told the
// controller's.
func (f *Fleet) Interval(id string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.intervalOf(f.agents[id])
}

func (f *Fleet) intervalOf(a *agent) time.Duration {
	if a != nil && a.Agent.Interval > 0 {
		return a.Agent.Interval
	}
	return f.interval
}

// view is the agent as it stands now. f.mu is held.
func (f *Fleet) view(a *agent) AgentView {
	now := time.Now()
	if a.asking > 0 {
		a.LastSeen = now
	}
	interval := f.intervalOf(a)
	return AgentView{Agent: a.Agent, State: a.State(now, f.since, interval), Interval: interval}
}
