package usecase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A Register keeps what is known of agents and workers. Its errors wrap
// ErrUnavailable or ErrStorageFull.
type Register interface {
	// Load returns all that is kept.
	Load(ctx context.Context) ([]domain.Agent, []domain.Standing, error)
	// Save keeps these, each in the place of what was kept of it before, and what the
	// audit tells of them.
	Save(ctx context.Context, agents []domain.Agent, standings []domain.Standing, told ...domain.Entry) error
	// Forget removes whoever was not seen since.
	Forget(ctx context.Context, since time.Time) error
}

// Positions says where namespaces stand.
type Positions interface {
	// Position returns an error that wraps domain.ErrNotFound for a namespace
	// that is not written, or ErrUnavailable.
	Position(ctx context.Context, namespace config.Name) (config.Position, error)
}

// What a fleet refuses to hear.
var (
	// ErrFull means that there are more agents or workers than are kept.
	ErrFull = errors.New("the fleet is full")
	// ErrUnbelievable means that a report is about what was never written.
	ErrUnbelievable = errors.New("a report of a revision that there is not")
	// ErrInterval means that a poll interval is out of bounds.
	ErrInterval = errors.New("a poll interval is 0.1 s to 86400 s")
)

// Bounds of the fleet.
const (
	MinInterval = 100 * time.Millisecond
	MaxInterval = 24 * time.Hour

	maxAgents     = 20_000
	maxStandings  = 200_000
	maxNamespaces = 1_000 // of one agent

	saveEvery   = time.Second
	saveAtOnce  = 250                     // a commit that comes meanwhile waits for no more than these
	saveRest    = 10 * time.Millisecond   // between two pieces, for commits
	saveAgain   = 1500 * time.Millisecond // what changes all the time is kept every other time
	seenEvery   = time.Minute             // how stale a kept "last seen" may be
	forgetEvery = time.Hour
	forgetAfter = 7 * 24 * time.Hour
)

// Fleet watches agents and workers. It answers from memory; what changed is kept
// about once a second, and when somebody was seen about once a minute, so that a
// sign of life costs the store nothing.
type Fleet struct {
	register  Register
	positions Positions
	interval  time.Duration // of who has none of its own
	since     time.Time     // nobody can be missed from before
	logger    *slog.Logger

	mu        sync.Mutex
	agents    map[string]*agent
	standings map[standingID]*worker
	namespace map[config.Name]map[string]*worker
	changed   map[config.Name]chan struct{}
}

// An agent is a domain.Agent and what is in memory alone.
type agent struct {
	domain.Agent
	asking int // requests of its that are answered just now
	kept   keeping
}

type worker struct {
	domain.Standing
	kept keeping
}

// A keeping says how much of something is not kept yet.
type keeping struct {
	unsaved  bool
	lastSeen time.Time // as it was saved
	at       time.Time // when news of it were saved last
}

func (k keeping) due(now, seen time.Time, closing bool) bool {
	return (k.unsaved && (closing || now.Sub(k.at) >= saveAgain)) || seen.Sub(k.lastSeen) >= seenEvery || (closing && seen.After(k.lastSeen))
}

type standingID struct {
	namespace config.Name
	worker    string
}

// NewFleet returns the fleet that the register knows. interval is the poll
// interval of agents that have none of their own.
func NewFleet(ctx context.Context, register Register, positions Positions, interval time.Duration, logger *slog.Logger) (*Fleet, error) {
	agents, standings, err := register.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the fleet: %w", err)
	}
	f := &Fleet{
		register: register, positions: positions, interval: interval, since: time.Now(), logger: logger,
		agents: map[string]*agent{}, standings: map[standingID]*worker{},
		namespace: map[config.Name]map[string]*worker{}, changed: map[config.Name]chan struct{}{},
	}
	for _, a := range agents {
		f.agents[a.ID] = &agent{Agent: a, kept: keeping{lastSeen: a.LastSeen}}
	}
	for _, s := range standings {
		f.put(&worker{Standing: s, kept: keeping{lastSeen: s.LastSeen}})
	}
	return f, nil
}

func (f *Fleet) put(w *worker) {
	f.standings[standingID{w.Namespace, w.Worker}] = w
	if f.namespace[w.Namespace] == nil {
		f.namespace[w.Namespace] = map[string]*worker{}
	}
	f.namespace[w.Namespace][w.Worker] = w
}

// Run keeps what changed, and forgets who is long gone, until ctx ends; then it
// keeps what is left.
func (f *Fleet) Run(ctx context.Context) {
	save, forget := time.NewTicker(saveEvery), time.NewTicker(forgetEvery)
	defer save.Stop()
	defer forget.Stop()
	for {
		select {
		case <-ctx.Done():
			f.save(ctx, true)
			return
		case <-save.C:
			f.save(ctx, false)
		case <-forget.C:
			f.forget(ctx, time.Now().Add(-forgetAfter))
		}
	}
}

// save keeps what is due. closing says that there is no later time to do it.
func (f *Fleet) save(ctx context.Context, closing bool) {
	f.mu.Lock()
	now := time.Now()
	var agents []domain.Agent
	var standings []domain.Standing
	for _, a := range f.agents {
		if a.kept.due(now, a.LastSeen, closing) {
			agents = append(agents, a.Agent)
			a.kept = keeping{lastSeen: a.LastSeen, at: now}
		}
	}
	for _, w := range f.standings {
		if w.kept.due(now, w.LastSeen, closing) {
			standings = append(standings, w.Standing)
			w.kept = keeping{lastSeen: w.LastSeen, at: now}
		}
	}
	f.mu.Unlock()
	if err := f.saveAll(ctx, agents, standings); err != nil {
		f.logger.Warn("cannot keep what is known of the fleet; will try again", "error", err)
	}
}

// saveAll keeps a few at a time, and rests in between while ctx lasts. The store has
// one writer: commits that come meanwhile take their turns between these, and most
// find it free. Neighbours go together, since a page of
// the store is written anew for any one of its rows. What was not kept when it fails is left
// to the next time.
func (f *Fleet) saveAll(ctx context.Context, agents []domain.Agent, standings []domain.Standing) error {
	slices.SortFunc(agents, func(a, b domain.Agent) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(standings, func(a, b domain.Standing) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Worker, b.Worker))
	})
	for len(agents)+len(standings) > 0 {
		a, s := min(len(agents), saveAtOnce), min(len(standings), saveAtOnce)
		if err := f.register.Save(context.WithoutCancel(ctx), agents[:a], standings[:s]); err != nil {
			f.unsaved(agents, standings)
			return err
		}
		if agents, standings = agents[a:], standings[s:]; len(agents)+len(standings) > 0 {
			select {
			case <-time.After(saveRest):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

func (f *Fleet) unsaved(agents []domain.Agent, standings []domain.Standing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range agents {
		if kept, ok := f.agents[a.ID]; ok {
			kept.kept = keeping{unsaved: true, lastSeen: kept.kept.lastSeen}
		}
	}
	for _, s := range standings {
		if kept, ok := f.standings[standingID{s.Namespace, s.Worker}]; ok {
			kept.kept = keeping{unsaved: true, lastSeen: kept.kept.lastSeen}
		}
	}
}

// forget drops who was last seen before then, in memory first: what the store
// still has then is old, and is dropped the next time.
func (f *Fleet) forget(ctx context.Context, before time.Time) {
	f.mu.Lock()
	for id, a := range f.agents {
		if a.LastSeen.Before(before) && a.asking == 0 {
			delete(f.agents, id)
		}
	}
	for id, w := range f.standings {
		if w.LastSeen.Before(before) {
			delete(f.standings, id)
			delete(f.namespace[id.namespace], id.worker)
			f.stir(id.namespace)
		}
	}
	f.mu.Unlock()
	if err := f.register.Forget(ctx, before); err != nil {
		f.logger.Warn("cannot forget who is long gone", "error", err)
	}
}

// stir wakes who waits for a change of the namespace's fleet. f.mu is held.
func (f *Fleet) stir(namespace config.Name) {
	if changed, ok := f.changed[namespace]; ok {
		close(changed)
		delete(f.changed, namespace)
	}
}
