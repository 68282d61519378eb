package usecase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Fetched records what an agent holds. An agent that is not registered is nobody.
// It fails with ErrUnbelievable, or as Positions does.
func (f *Fleet) Fetched(ctx context.Context, fetched config.Fetched) error {
	if fetched.Status == config.Rejected {
		return f.refused(ctx, fetched)
	}
	position, err := f.believe(ctx, fetched.Namespace, fetched.Position())
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.agents[fetched.Agent]
	if !ok {
		return nil
	}
	now := time.Now()
	known.LastSeen = now
	mark := domain.Mark{Position: position, At: cmp.Or(fetched.At, now).UTC()}
	if relented, ok := known.Relent(fetched.Namespace, mark); ok {
		known.Agent, known.kept.unsaved = relented, true
		f.stir(fetched.Namespace)
	}
	next, changed := known.Keep(fetched.Namespace, mark)
	if _, had := known.Agent.Fetched[fetched.Namespace]; changed && (had || len(known.Agent.Fetched) < maxNamespaces) {
		known.Agent, known.kept.unsaved = next, true
	}
	return nil
}

// Record notes a worker's verdict. It fails with ErrUnbelievable, ErrFull, or as
// Positions does.
func (f *Fleet) Record(ctx context.Context, v config.Verdict) error {
	position, err := f.believe(ctx, v.Namespace, v.Position())
	if err != nil {
		return err
	}
	v.Epoch = position.Epoch
	v.Code, v.Message = clip(v.Code, 64), clip(v.Message, 1024)
	f.mu.Lock()
	defer f.mu.Unlock()
	known, err := f.worker(v.Namespace, v.Worker)
	if err == nil {
		f.learn(known, known.Observe(v, time.Now()))
	}
	return err
}

// worker is the one of that ID, who may be new. It fails with ErrFull. f.mu is held.
func (f *Fleet) worker(namespace config.Name, id string) (*worker, error) {
	known, ok := f.standings[standingID{namespace, id}]
	if !ok {
		if len(f.standings) >= maxStandings {
			return nil, fmt.Errorf("%w: no room for worker %s", ErrFull, id)
		}
		known = &worker{Standing: domain.Standing{Worker: id, Namespace: namespace}}
		f.put(known)
	}
	return known, nil
}

// learn takes over what a worker's standing is now. f.mu is held.
func (f *Fleet) learn(known *worker, next domain.Standing) {
	if !next.Same(known.Standing) {
		known.kept.unsaved = true
		f.stir(known.Namespace)
	}
	known.Standing = next
}

// Stopped records a goodbye. A worker's standing is kept, but nobody sees it until
// the worker is back, so that a verdict from before, if it comes late, does not
// bring it back. An agent that is not registered is nobody. It fails with
// ErrUnbelievable, ErrFull, or as Positions does.
func (f *Fleet) Stopped(ctx context.Context, s config.Stopped) error {
	if s.OfAgent() {
		f.agentStopped(s)
		return nil
	}
	if _, err := f.written(ctx, s.Namespace); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	known, err := f.worker(s.Namespace, s.Worker)
	if err == nil {
		f.learn(known, known.Leave(s.At, time.Now()))
		known.kept.at = time.Time{} // it is said once: it does not wait for more
	}
	return err
}

// believe returns the position that a report is about, in the present epoch where
// it names none. What was never written cannot have been fetched or applied: a
// report of it is forged, or tells of another store.
func (f *Fleet) believe(ctx context.Context, namespace config.Name, reported config.Position) (config.Position, error) {
	newest, err := f.written(ctx, namespace)
	if err != nil {
		return reported, err
	}
	if reported.Epoch == "" {
		reported.Epoch = newest.Epoch
	}
	if reported.Revision < 1 || reported.Compare(newest) > 0 {
		return reported, fmt.Errorf("%w: %s stands at %d", ErrUnbelievable, namespace, newest.Revision)
	}
	return reported, nil
}

// written returns where a namespace stands that a report is about. It fails with
// ErrUnbelievable where there is none, or as Positions does.
func (f *Fleet) written(ctx context.Context, namespace config.Name) (config.Position, error) {
	newest, err := f.positions.Position(ctx, namespace)
	if errors.Is(err, domain.ErrNotFound) {
		return newest, fmt.Errorf("%w: %.80q is not written", ErrUnbelievable, namespace)
	}
	return newest, err
}

// clip cuts foreign text to a length, at a rune.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}

// A FleetView is a namespace's workers as they stand to a revision.
type FleetView struct {
	Namespace config.Name `json:"namespace"`
	config.Position
	Summary Summary      `json:"summary"`
	Workers []WorkerView `json:"workers"` // in the order of their IDs
}

// A Summary counts workers by state.
type Summary struct {
	Workers  int `json:"workers"`
	Current  int `json:"current"`
	Behind   int `json:"behind"`
	Rejected int `json:"rejected"`
	Lost     int `json:"lost"`
}

// Settled reports whether every worker that lives runs on the revision.
func (s Summary) Settled() bool { return s.Current+s.Lost == s.Workers }

func (s *Summary) count(state domain.WorkerState) {
	s.Workers++
	switch state {
	case domain.Current:
		s.Current++
	case domain.Behind:
		s.Behind++
	case domain.Rejected:
		s.Rejected++
	case domain.WorkerLost:
		s.Lost++
	}
}

// A WorkerView is a worker as somebody sees it who asks.
type WorkerView struct {
	domain.Standing
	State domain.WorkerState
}

// Workers returns the workers of a namespace as they stand to a revision, 0 being
// the newest, and a channel that is closed once one of them says something new.
// The error wraps domain.ErrNotFound for what is not written.
func (f *Fleet) Workers(ctx context.Context, namespace config.Name, revision config.Revision) (FleetView, <-chan struct{}, error) {
	wanted, err := f.positions.Position(ctx, namespace)
	if err != nil {
		return FleetView{}, nil, err
	}
	if revision > wanted.Revision {
		return FleetView{}, nil, fmt.Errorf("%w: %s has no revision %d yet, it stands at %d", domain.ErrNotFound, namespace, revision, wanted.Revision)
	}
	if revision > 0 {
		wanted.Revision = revision
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	view := FleetView{Namespace: namespace, Position: wanted, Workers: []WorkerView{}}
	for _, w := range f.namespace[namespace] {
		if w.Stopped() {
			continue
		}
		state := f.stateOf(w, wanted)
		view.Summary.count(state)
		view.Workers = append(view.Workers, WorkerView{w.Standing, state})
	}
	slices.SortFunc(view.Workers, func(a, b WorkerView) int { return cmp.Compare(a.Worker, b.Worker) })
	if f.changed[namespace] == nil {
		f.changed[namespace] = make(chan struct{})
	}
	return view, f.changed[namespace], nil
}

func (f *Fleet) stateOf(w *worker, wanted config.Position) domain.WorkerState {
	return w.State(wanted, time.Now(), f.since, f.intervalOf(f.agents[w.Agent]))
}

// Census counts all agents and all workers by state, the latter against the
// newest revision of their namespaces.
func (f *Fleet) Census(ctx context.Context) (agents map[domain.AgentState]int, workers Summary) {
	agents = map[domain.AgentState]int{}
	for _, a := range f.Agents("", 0) {
		agents[a.State]++
	}
	f.mu.Lock()
	namespaces := make([]config.Name, 0, len(f.namespace))
	for namespace := range f.namespace {
		namespaces = append(namespaces, namespace)
	}
	f.mu.Unlock()
	for _, namespace := range namespaces {
		wanted, err := f.positions.Position(ctx, namespace)
		if err != nil {
			continue
		}
		f.mu.Lock()
		for _, w := range f.namespace[namespace] {
			if !w.Stopped() {
				workers.count(f.stateOf(w, wanted))
			}
		}
		f.mu.Unlock()
	}
	return agents, workers
}
