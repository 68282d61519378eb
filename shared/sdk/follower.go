package sdk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/heraldconf/herald/shared/config"
	"github.com/heraldconf/herald/shared/lastgood"
	"github.com/heraldconf/herald/shared/pull"
	"github.com/heraldconf/herald/shared/trust"
)

// A follower is the part of a Value that does not depend on its type: it pulls
// the namespace, has each newer snapshot judged, keeps what was accepted, and
// leaves the verdict to its teller. One goroutine does all of it.
type follower struct {
	about
	judge
	puller *pull.Puller
	folder *lastgood.Folder // nil where nothing is kept
	trust  *trust.Trust     // nil where nobody's signature is asked for
	teller *teller
	status statusBoard

	judged  *config.Snapshot // the newest that was judged, whatever the verdict
	unsaved *config.Snapshot // runs, but could not be kept yet
	links   links
}

// A judge says of snapshots whether the application runs on them.
type judge interface {
	// prepare judges a snapshot; swap takes its value over.
	prepare(*config.Snapshot) (swap func(), err error)
	// expect has what follows judged as a change of this one, until undo.
	expect(*config.Snapshot) (undo func(), err error)
}

func newFollower(a about, judge judge) (*follower, error) {
	f := &follower{about: a, judge: judge}
	if a.stateDir != "" {
		folder, err := lastgood.Open(a.stateDir)
		if err != nil {
			return nil, fmt.Errorf("the state folder %s: %w; choose one that can be written", a.stateDir, err)
		}
		f.folder = folder
	}
	if err := f.believe(); err != nil {
		return nil, err
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

// believe counts the signatures of the keys that were given, at load and at fetch.
func (f *follower) believe() (err error) {
	if len(f.keys) == 0 {
		return nil
	}
	var folder trust.Folder
	if f.folder != nil {
		folder = f.folder
	}
	if f.trust, err = trust.Open(trust.Given(f.keys), folder, f.client.Keys, f.logger); err != nil {
		return fmt.Errorf("the signing keys in the state folder: %w", err)
	}
	if f.folder != nil {
		f.folder.Require(f.trust.Verify)
	}
	return nil
}

// run follows until ctx ends, and leaves nothing behind.
func (f *follower) run(ctx context.Context, have *config.Snapshot) {
	var telling sync.WaitGroup
	// The last verdict may come while the puller ends, so the teller ends after it.
	tell, end := context.WithCancel(context.WithoutCancel(ctx))
	telling.Go(func() { f.teller.run(tell) })
	f.links = links{ctx: ctx, link: f.link, nudge: f.puller.Nudge}
	if known := f.status.get().Agent.ID; known != "" { // it was met before there was a last good
		f.links.listen(known)
	}
	f.puller.Run(ctx, have)
	f.links.end()
	end()
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
func (f *follower) restore(ctx context.Context) *config.Snapshot {
	if f.folder == nil {
		return nil
	}
	kept, err := f.folder.Load(f.namespace)
	if kept.Damage != nil {
		f.logger.Warn("the last good is damaged; the one before it counts", "error", kept.Damage)
	}
	if err != nil {
		if errors.Is(err, config.ErrDamaged) || errors.Is(err, config.ErrSignature) {
			f.logger.Warn("the last good is damaged; waiting for the agent", "error", err)
		}
		return nil
	}
	f.judged = kept.Snapshot
	newer := f.newer(ctx, kept.Snapshot)
	if newer != nil && f.runsOn(newer) {
		return newer
	}
	swap, err := f.prepare(kept.Snapshot)
	if undecided(ctx, err) {
		return nil
	}
	if err != nil {
		f.logger.Warn("the last good is good no more; waiting for the agent", "revision", kept.Snapshot.Revision, "error", err)
		return nil
	}
	swap()
	f.accepted(kept.Snapshot, 0)
	f.logger.Info("running on the last good", "revision", kept.Snapshot.Revision)
	return cmp.Or(newer, kept.Snapshot)
}

// newer lets the agent bring something newer than the last good, for as long as the
// application has patience, and has it judged. It returns what was judged, nil for
// nothing.
func (f *follower) newer(ctx context.Context, held *config.Snapshot) *config.Snapshot {
	if f.patience <= 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	answer, err := f.client.Fetch(limited, pull.Request{Namespace: f.namespace, Have: held.ETag, At: held.Position})
	if err != nil || answer.Snapshot == nil {
		return nil
	}
	undo, err := f.expect(held)
	if err != nil {
		return nil
	}
	if err := f.keep(ctx, answer); err != nil || f.judged != answer.Snapshot {
		undo()
		return nil
	}
	if !f.runsOn(answer.Snapshot) {
		undo()
	}
	return answer.Snapshot
}

// runsOn reports whether the application runs on that snapshot.
func (f *follower) runsOn(s *config.Snapshot) bool {
	running := f.status.get().Running
	return running != nil && running.Position == s.Position
}

// keep judges a snapshot, and keeps it before anybody sees its value: what was
// seen is there after a restart. One that was refused counts as kept, so that it
// is not fetched again; an error, for one that is older than what was judged, and
// for one that nobody vouches for, is only for the Puller to back off.
func (f *follower) keep(ctx context.Context, a pull.Answer) error {
	started := time.Now()
	f.meet(a.Agent)
	if f.trust != nil { // whatever it says it is, it is no revision that could be judged
		if err := f.trust.Check(ctx, a.Snapshot); err != nil {
			return err
		}
	}
	err := a.Snapshot.Succeeds(f.judged)
	if errors.Is(err, config.ErrOlder) {
		return err
	}
	var swap func()
	if err == nil {
		f.judged = a.Snapshot
		swap, err = f.prepare(a.Snapshot)
	}
	if undecided(ctx, err) {
		return nil
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

// undecided says whether the application gave up on a snapshot because it ends,
// which is no word on the snapshot.
func undecided(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
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
