package usecase

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// A Syncer follows namespaces: one puller each. What it fetched it keeps on disk
// first, then serves, then tells. While the disk fails it goes on from memory.
type Syncer struct {
	upstream Upstream
	cache    Cache
	tell     func(*config.Snapshot)
	require  func(context.Context, *config.Snapshot) error
	logger   *slog.Logger

	mu       sync.Mutex
	run      context.Context // of Run; nil before
	pullers  sync.WaitGroup
	followed map[config.Name]*follower
	told     time.Duration // the poll interval that upstream told last
	noted    time.Duration // what of that is on disk
	disk     domain.CacheState

	withheld func(config.Name, *domain.Withheld, *config.Snapshot) // nil for nobody
}

// NewSyncer returns a Syncer that follows nothing yet. tell is called after each
// newer snapshot is kept and served; it must not block.
func NewSyncer(upstream Upstream, cache Cache, tell func(*config.Snapshot), logger *slog.Logger) *Syncer {
	told := cache.Interval()
	return &Syncer{upstream: upstream, cache: cache, tell: tell, logger: logger, told: told, noted: told, followed: map[config.Name]*follower{}}
}

// Require names what a snapshot has to pass before it is kept, such as that its
// signature is good. It is set before the first namespace is followed.
func (s *Syncer) Require(check func(context.Context, *config.Snapshot) error) { s.require = check }

// Run pulls what is followed until ctx ends.
func (s *Syncer) Run(ctx context.Context) {
	s.mu.Lock()
	s.run = ctx
	for namespace, f := range s.followed {
		s.start(namespace, f)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.pullers.Wait()
}

// start runs a follower's puller; the caller holds the lock.
func (s *Syncer) start(namespace config.Name, f *follower) {
	if s.run == nil || s.run.Err() != nil {
		return
	}
	ctx, have := s.run, f.holding.Snapshot
	s.pullers.Go(func() { f.puller.Run(ctx, have) })
	s.logger.Debug("following", "namespace", namespace)
}

// Follow follows namespaces from now on. It fails with domain.ErrTooMany.
func (s *Syncer) Follow(namespaces ...config.Name) error {
	for _, namespace := range namespaces {
		if _, _, err := s.follow(namespace); err != nil {
			return err
		}
	}
	return nil
}

// follow returns a namespace's follower; began says that it was not there before.
func (s *Syncer) follow(namespace config.Name) (f *follower, began bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.followed[namespace]; ok {
		return f, false, nil
	}
	if len(s.followed) >= domain.MaxNamespaces {
		return nil, false, fmt.Errorf("%w: %d", domain.ErrTooMany, domain.MaxNamespaces)
	}
	f = &follower{holding: s.cache.Load(namespace), changed: make(chan struct{})}
	f.puller = s.upstream.Puller(namespace,
		func(ctx context.Context, a domain.Answer) error { return s.take(ctx, namespace, f, a) },
		func(a domain.Answer, err error) { s.observe(namespace, f, a, err) })
	s.followed[namespace] = f
	s.start(namespace, f)
	return f, true, nil
}

// take keeps a snapshot that passes what is required.
func (s *Syncer) take(ctx context.Context, namespace config.Name, f *follower, a domain.Answer) error {
	if s.require != nil {
		if err := s.require(ctx, a.Snapshot); err != nil {
			return err
		}
	}
	return s.keep(namespace, f, a)
}

// keep accepts a snapshot, keeps it on disk, then serves and tells it. An error
// leaves all as it was. One that is held already, such as one that was fetched anew
// for a signature that it still has not, is no news. A disk that fails keeps nobody
// from what is new: it is served from memory, and kept with a later pull.
func (s *Syncer) keep(namespace config.Name, f *follower, a domain.Answer) error {
	f.keeping.Lock()
	defer f.keeping.Unlock()
	held := f.get()
	if held.Has(a.Snapshot) {
		return nil
	}
	next, err := held.Accept(a, time.Now())
	if err != nil {
		return err
	}
	f.set(s.save(next))
	s.tell(a.Snapshot)
	s.logger.Info("fetched", "namespace", namespace, "revision", a.Snapshot.Revision, "etag", a.Snapshot.ETag)
	return nil
}

func (s *Syncer) observe(namespace config.Name, f *follower, a domain.Answer, err error) {
	before, after := f.change(func(h domain.Holding) domain.Holding { return h.Observe(a, err, time.Now()) })
	if a.Snapshot == nil {
		s.tryDisk(f)
	}
	if after.Withheld != before.Withheld && s.withheld != nil {
		s.withheld(namespace, after.Withheld, after.Snapshot)
	}
	if a.Interval > 0 {
		s.SetInterval(a.Interval)
	}
	if after.Err != nil && (before.Err == nil || before.Err.Error() != after.Err.Error()) {
		s.logger.Warn("pull failed; what is held goes on", "namespace", namespace, "error", after.Err)
	}
	if after.Err == nil && before.Err != nil {
		s.logger.Info("pull works again", "namespace", namespace)
	}
}

// Nudge says that a namespace may have something newer. It returns false for one
// that is not followed, which is none of ours.
func (s *Syncer) Nudge(namespace config.Name, at config.Position, spread time.Duration) bool {
	s.mu.Lock()
	f := s.followed[namespace]
	s.mu.Unlock()
	if f != nil {
		f.puller.Nudge(at, spread)
	}
	return f != nil
}

// NudgeAll asks for a pull of everything that is followed: notifications may have
// been missed, or will be.
func (s *Syncer) NudgeAll(spread time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.followed {
		f.puller.Nudge(config.Position{}, spread)
	}
}

// Ensure follows a namespace that somebody asks for, and waits until it is known
// whether there is one, or until patience ends. began says that it was not
// followed before. It fails with domain.ErrTooMany.
func (s *Syncer) Ensure(ctx context.Context, namespace config.Name, patience time.Duration) (began bool, err error) {
	f, began, err := s.follow(namespace)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		h, changed := f.watch()
		if h.Snapshot != nil || h.Known {
			return began, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return began, nil
		}
	}
}

// Latest returns what is held of a namespace, and a channel that is closed when
// that changes. It fails with domain.ErrAbsent or domain.ErrUnavailable.
func (s *Syncer) Latest(namespace config.Name) (*config.Snapshot, <-chan struct{}, error) {
	s.mu.Lock()
	f := s.followed[namespace]
	s.mu.Unlock()
	if f == nil {
		return nil, nil, domain.ErrUnavailable
	}
	h, changed := f.watch()
	return h.Snapshot, changed, h.Check()
}

// Holding returns what is held of a namespace, an empty one for nothing.
func (s *Syncer) Holding(namespace config.Name) domain.Holding {
	s.mu.Lock()
	f := s.followed[namespace]
	s.mu.Unlock()
	if f == nil {
		return domain.Holding{}
	}
	return f.get()
}

// Followed returns the namespaces that are followed, in order.
func (s *Syncer) Followed() []config.Name {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]config.Name, 0, len(s.followed))
	for name := range s.followed {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Interval is the poll interval that upstream told last, 0 if it told none.
func (s *Syncer) Interval() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// SetInterval notes the poll interval that upstream told, and keeps it, so that it is
// handed on after a restart with nobody above alive.
func (s *Syncer) SetInterval(told time.Duration) {
	s.mu.Lock()
	s.told = told
	kept := s.noted == told
	s.mu.Unlock()
	if kept {
		return
	}
	if err := s.cache.KeepInterval(told); err != nil {
		return // it is tried again when it is told again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = told
}
