package sdk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
	"github.com/heraldconf/herald/shared/pull"
)

// A follower is the part of a Watcher that does not depend on its type: it pulls
// the namespace, has each newer snapshot judged, keeps what was accepted, and
// leaves the verdict to its teller. One goroutine does all of it.
type follower struct {
	about
	prepare func(config.Entry, config.Position) (swap func(), err error)
	puller  *pull.Puller
	folder  *lastgood.Folder // nil where nothing is kept
	teller  *teller
	status  statusBoard

	judged  *config.Snapshot // the newest that was judged, whatever the verdict
	unsaved *config.Snapshot // runs, but could not be kept yet
	links   links
}

func newFollower(a about, prepare func(config.Entry, config.Position) (func(), error)) (*follower, error) {
	f := &follower{about: a, prepare: prepare}
	if a.stateDir != "" {
		folder, err := lastgood.Open(a.stateDir)
		if err != nil {
			return nil, fmt.Errorf("the state folder %s: %w; choose one that can be written", a.stateDir, err)
		}
		f.folder = folder
	}
	f.puller = &pull.Puller{
		Namespace: a.namespace, Fetch: a.client.Fetch, Keep: f.keep, Observe: f.observe,
		Hold:     f.holds,
		Interval: a.interval, Identity: a.worker,
	}
	f.teller = newTeller(a)
	f.status.now = Status{Worker: a.worker, Namespace: a.namespace, Agent: AgentStatus{URL: a.client.Base, State: Down}}
	return f, nil
}

// run follows until ctx ends, and leaves nothing behind.
func (f *follower) run(ctx context.Context, have *config.Snapshot) {
	var telling sync.WaitGroup
	telling.Go(func() { f.teller.run(ctx) })
	f.links = links{ctx: ctx, link: f.link, nudge: f.puller.Nudge}
	f.puller.Run(ctx, have)
	f.links.end()
	telling.Wait()
	if f.ownHTTP {
		f.client.HTTP.CloseIdleConnections()
	}
	if f.folder != nil {
		_ = f.folder.Close() // what was written is on disk already
	}
}

// restore takes over the last good of the folder, and returns what need not be
// pulled again: nothing, if there is none or it is good no more.
func (f *follower) restore() *config.Snapshot {
	if f.folder == nil {
		return nil
	}
	kept, err := f.folder.Load(f.namespace)
	if kept.Damage != nil {
		f.logger.Warn("the last good is damaged; the one before it counts", "error", kept.Damage)
	}
	if err != nil {
		if errors.Is(err, config.ErrDamaged) {
			f.logger.Warn("the last good is damaged; waiting for the agent", "error", err)
		}
		return nil
	}
	f.judged = kept.Snapshot
	swap, err := f.judge(kept.Snapshot)
	if err != nil {
		f.logger.Warn("the last good is good no more; waiting for the agent", "revision", kept.Snapshot.Revision, "error", err)
		return nil
	}
	swap()
	f.accepted(kept.Snapshot, 0)
	f.logger.Info("running on the last good", "revision", kept.Snapshot.Revision)
	return kept.Snapshot
}

// keep judges a snapshot, and keeps it before anybody sees its value: what was
// seen is there after a restart. One that was refused counts as kept, so that it
// is not fetched again; an error, for one that is older than what was judged, is
// only for the Puller to back off.
func (f *follower) keep(_ context.Context, a pull.Answer) error {
	started := time.Now()
	f.meet(a.Agent)
	err := a.Snapshot.Succeeds(f.judged)
	if errors.Is(err, config.ErrOlder) {
		return err
	}
	var swap func()
	if err == nil {
		f.judged = a.Snapshot
		swap, err = f.judge(a.Snapshot)
	}
	if err != nil {
		f.rejected(a.Snapshot, err, time.Since(started))
		return nil
	}
	f.save(a.Snapshot)
	swap()
	f.accepted(a.Snapshot, time.Since(started))
	f.logger.Info("running on a newer revision", "revision", a.Snapshot.Revision)
	return nil
}

func (f *follower) judge(s *config.Snapshot) (swap func(), err error) {
	entry, ok := s.Config(f.name)
	if !ok {
		return nil, fmt.Errorf("%w: %s/%s", errMissing, f.namespace, f.name)
	}
	return f.prepare(entry, s.Position)
}

// save keeps what runs. A folder that fails, on a full disk say, takes nothing
// from the application: it is tried again with each pull.
func (f *follower) save(s *config.Snapshot) {
	if f.folder == nil || s == nil {
		return
	}
	err := f.folder.Save(s, time.Now())
	if err == nil {
		f.unsaved = nil
		return
	}
	if f.unsaved == nil {
		f.logger.Warn("the last good is not kept; trying again with each pull", "revision", s.Revision, "error", err)
	}
	f.unsaved = s
}

// observe notes how a pull ended. An agent that knows no such namespace, or is
// behind what runs here, has answered all the same.
func (f *follower) observe(a pull.Answer, err error) {
	f.save(f.unsaved)
	f.meet(a.Agent)
	answered := err == nil || errors.Is(err, pull.ErrNotFound) || errors.Is(err, config.ErrOlder)
	if answered {
		f.teller.reached(a.Agent, a.Interval)
	}
	before := f.status.get().Agent
	f.status.set(func(st *Status) {
		st.Agent.State, st.Agent.LastError = Down, ""
		if answered {
			st.Agent.State, st.Agent.LastSuccess = OK, time.Now().UTC()
		}
		if err != nil {
			st.Agent.LastError = err.Error()
		}
	})
	switch { // a line for each change, however often it is tried
	case err != nil && before.LastError == "":
		f.logger.Warn("pull failed; the last good stays", "error", err)
	case err == nil && before.LastError != "":
		f.logger.Info("pull works again")
	}
}

// holds says whether requests are to be held, since no notification comes: there
// is no link, or it is down, or nobody knows yet whom to listen to, as with an
// agent that has nothing of the namespace.
func (f *follower) holds() bool {
	return f.link == nil || !f.link.Healthy() || f.status.get().Agent.ID == ""
}

// meet learns the agent's ID, and listens to that one from then on.
func (f *follower) meet(agent string) {
	if agent == "" || agent == f.status.get().Agent.ID {
		return
	}
	f.status.set(func(st *Status) { st.Agent.ID = agent })
	f.teller.reached(agent, 0)
	f.links.listen(agent)
}
