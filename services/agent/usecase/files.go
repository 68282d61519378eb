package usecase

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// defaultInterval is how often verdicts are repeated where upstream told nothing.
const defaultInterval = 15 * time.Second

// Files keeps files made of configs. It makes them one after another in the order
// in which they are given, so that what others include can stand before them.
type Files struct {
	Files    []domain.File
	Agent    string
	Syncer   *Syncer
	Renderer Renderer
	Disk     Disk
	Ledger   Ledger
	Commands Commands
	Report   func(config.Reports)
	Interval time.Duration // of repeating verdicts; 0 = what upstream told
	Logger   *slog.Logger

	mu        sync.Mutex
	standings map[string]domain.FileStanding // by path
}

// Namespaces are those that the files are made of.
func (f *Files) Namespaces() []config.Name {
	var all []config.Name
	for _, file := range f.Files {
		all = append(all, file.Namespaces...)
	}
	return all
}

// Run makes the files, and again what changes, until ctx ends. A command that runs
// then is killed; the next start makes up for it.
func (f *Files) Run(ctx context.Context) {
	if len(f.Files) == 0 {
		return
	}
	for _, file := range f.Files {
		if err := f.Disk.Discard(file); err != nil {
			f.Logger.Warn("cannot look for what was left beside a file", "file", file.To, "error", err)
		}
	}
	wake := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	seen := map[config.Name]bool{}
	for _, namespace := range f.Namespaces() {
		if !seen[namespace] {
			seen[namespace] = true
			watching.Go(func() { f.watch(ctx, namespace, wake) })
		}
	}
	defer f.goodbye()
	alive := time.NewTimer(f.interval())
	defer alive.Stop()
	for ctx.Err() == nil {
		retry := time.NewTimer(f.round(ctx))
		select {
		case <-wake:
		case <-retry.C:
		case <-alive.C:
			f.repeat()
			alive.Reset(f.interval())
		case <-ctx.Done():
		}
		retry.Stop()
	}
}

// watch rings at each change of a namespace.
func (f *Files) watch(ctx context.Context, namespace config.Name, wake chan<- struct{}) {
	for ctx.Err() == nil {
		_, changed, _ := f.Syncer.Latest(namespace) // whether there is one, the round sees
		select {
		case wake <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// round tries the files that are due, and returns how long none will be unless
// something changes.
func (f *Files) round(ctx context.Context) (wait time.Duration) {
	wait = time.Hour
	for _, file := range f.Files {
		if snapshots, at := f.latest(file); snapshots != nil && f.standing(file).Due(at, time.Now()) {
			f.try(ctx, file, snapshots, at)
		}
		if ctx.Err() != nil {
			return wait
		}
		if retry := f.standing(file).Retry; !retry.IsZero() {
			wait = min(wait, max(0, time.Until(retry)))
		}
	}
	return wait
}

// latest returns what is held of a file's namespaces, nil unless all are there.
func (f *Files) latest(file domain.File) (map[config.Name]*config.Snapshot, domain.Positions) {
	snapshots, at := map[config.Name]*config.Snapshot{}, domain.Positions{}
	for _, namespace := range file.Namespaces {
		snapshot := f.Syncer.Holding(namespace).Snapshot
		if snapshot == nil {
			return nil, nil
		}
		snapshots[namespace], at[namespace] = snapshot, snapshot.Position
	}
	return snapshots, at
}

// try makes a file, and tells what came of it. A try that the end of ctx cut off
// says nothing of the revision.
func (f *Files) try(ctx context.Context, file domain.File, snapshots map[config.Name]*config.Snapshot, at domain.Positions) {
	began := time.Now().UTC()
	err := f.make(ctx, file, snapshots)
	if err != nil && ctx.Err() != nil {
		return
	}
	before := f.standing(file)
	after := before.Observe(at, err, began, time.Now().UTC())
	f.mu.Lock()
	f.standings[file.To] = after
	f.mu.Unlock()
	f.log(file, before, after)
	f.tell(after.Reports())
}

func (f *Files) log(file domain.File, before, after domain.FileStanding) {
	switch {
	case after.State == domain.FileApplied:
		f.Logger.Info("file applied", "file", file.To, "at", after.Tried)
	case before.Refusal != after.Refusal:
		f.Logger.Warn("file rejected; the old one stays", "file", file.To, "at", after.Tried,
			"code", after.Refusal.Code, "reason", after.Refusal.Message)
	}
}

// standing returns what is known of a file.
func (f *Files) standing(file domain.File) domain.FileStanding {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.standings == nil {
		f.standings = map[string]domain.FileStanding{}
	}
	if s, ok := f.standings[file.To]; ok {
		return s
	}
	return domain.NewFileStanding(domain.FileWorker(f.Agent, file.To))
}

// Standings returns what is known of each file, in the order of Files.
func (f *Files) Standings() []domain.FileStanding {
	standings := make([]domain.FileStanding, 0, len(f.Files))
	for _, file := range f.Files {
		standings = append(standings, f.standing(file))
	}
	return standings
}

// repeat tells all verdicts once more, as a sign of life.
func (f *Files) repeat() {
	var all []config.Verdict
	for _, standing := range f.Standings() {
		all = append(all, standing.Reports()...)
	}
	f.tell(all)
}

// goodbye says that nobody makes the files any more.
func (f *Files) goodbye() {
	var stopped []config.Stopped
	for _, standing := range f.Standings() {
		for _, v := range standing.Reports() {
			stopped = append(stopped, config.Stopped{Worker: v.Worker, Agent: f.Agent, Namespace: v.Namespace, At: time.Now().UTC()})
		}
	}
	f.Report(config.Reports{Stopped: stopped})
}

func (f *Files) tell(verdicts []config.Verdict) {
	if len(verdicts) == 0 {
		return
	}
	for i := range verdicts {
		verdicts[i].Agent = f.Agent
	}
	f.Report(config.Reports{Applied: verdicts})
}

// interval is the poll interval ±20 %, so that a fleet does not report at once.
func (f *Files) interval() time.Duration {
	interval := f.Interval
	if interval <= 0 {
		interval = f.Syncer.Interval()
	}
	if interval <= 0 {
		interval = defaultInterval
	}
	return interval - interval/5 + rand.N(max(interval*2/5, 1)) //nolint:gosec // spreading load is no secret
}
