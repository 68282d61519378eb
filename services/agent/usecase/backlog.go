package usecase

import (
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// A backlog is what is to be reported. Its user holds a lock.
type backlog struct {
	applied  map[standingOf]config.Verdicts
	verdicts int // how many these are
	fetched  map[standingOf]config.Fetched
	stopped  map[standingOf]config.Stopped
}

// A standingOf is of whom and what a report is.
type standingOf struct {
	who       string
	namespace config.Name
}

// fetchedOf keeps what an agent refuses apart from what it has.
func fetchedOf(f config.Fetched) standingOf {
	return standingOf{string(f.Status) + " " + f.Agent, f.Namespace}
}

func stoppedOf(s config.Stopped) standingOf {
	if s.OfAgent() {
		return standingOf{s.Agent, s.Namespace}
	}
	return standingOf{s.Worker, s.Namespace}
}

func newBacklog() backlog {
	return backlog{
		applied: map[standingOf]config.Verdicts{}, fetched: map[standingOf]config.Fetched{}, stopped: map[standingOf]config.Stopped{},
	}
}

// addApplied takes a verdict over, unless its worker left after it, or there is no room
// but for those of others. dropped is what had to go for it, or itself.
func (b *backlog) addApplied(v config.Verdict) (taken bool, dropped *config.Verdict) {
	key := standingOf{v.Worker, v.Namespace}
	if v.At.IsZero() {
		v.At = time.Now().UTC()
	}
	if left, gone := b.stopped[key]; gone && !v.At.After(left.At) {
		return false, nil
	}
	delete(b.stopped, key) // it is back
	return b.restoreApplied(v)
}

// restoreApplied puts a verdict at its place, be it that its worker has left since.
func (b *backlog) restoreApplied(v config.Verdict) (taken bool, dropped *config.Verdict) {
	key := standingOf{v.Worker, v.Namespace}
	next, dropped := b.applied[key].With(v)
	b.put(key, next)
	if b.verdicts > maxReports {
		dropped = b.makeRoom(key)
	}
	return len(b.applied[key]) > 0, dropped
}

// all are the verdicts in it, each worker's in order.
func (b *backlog) all() []config.Verdict {
	all := make([]config.Verdict, 0, b.verdicts)
	for _, verdicts := range b.applied {
		all = append(all, verdicts...)
	}
	return all
}

// put replaces what is to be told of a worker.
func (b *backlog) put(key standingOf, verdicts config.Verdicts) {
	b.verdicts += len(verdicts) - len(b.applied[key])
	if b.applied[key] = verdicts; len(verdicts) == 0 {
		delete(b.applied, key)
	}
}

// makeRoom drops an older verdict, of that worker if it has one; where nobody has, the
// one that came last, which its worker repeats.
func (b *backlog) makeRoom(key standingOf) *config.Verdict {
	if len(b.applied[key]) < 2 && b.verdicts > len(b.applied) {
		for other, verdicts := range b.applied {
			if len(verdicts) > 1 {
				key = other
				break
			}
		}
	}
	verdicts := b.applied[key]
	next, dropped := verdicts.Shed()
	if dropped == nil {
		next, dropped = nil, &verdicts[0]
	}
	b.put(key, next)
	return dropped
}

// addFetched takes a fetch over, or a refusal.
func (b *backlog) addFetched(f config.Fetched) {
	key := fetchedOf(f)
	if _, ok := b.fetched[key]; !ok && len(b.fetched) >= maxReports {
		return
	}
	b.fetched[key] = f
	if refused := (standingOf{string(config.Rejected) + " " + f.Agent, f.Namespace}); key != refused && !f.At.Before(b.fetched[refused].At) {
		delete(b.fetched, refused) // it refuses nothing any more
	}
}

// restoreFetched puts a fetch back, unless there is a newer one.
func (b *backlog) restoreFetched(f config.Fetched) {
	if _, ok := b.fetched[fetchedOf(f)]; !ok {
		b.addFetched(f)
	}
}

// addStopped takes a goodbye over, unless the worker is back already.
func (b *backlog) addStopped(s config.Stopped) bool {
	key := stoppedOf(s)
	verdicts := b.applied[key]
	if n := len(verdicts); n > 0 && verdicts[n-1].At.After(s.At) || len(b.stopped) >= maxReports {
		return false
	}
	b.stopped[key] = s // its verdicts go before it
	return true
}

// take takes that many at most out of it.
func (b *backlog) take(most int) config.Reports {
	var batch config.Reports
	for key, verdicts := range b.applied {
		n := min(len(verdicts), most-batch.Len())
		batch.Applied = append(batch.Applied, verdicts[:n]...)
		if b.put(key, verdicts[n:]); batch.Len() == most {
			return batch
		}
	}
	for key, f := range b.fetched {
		if batch.Len() == most {
			return batch
		}
		batch.Fetched = append(batch.Fetched, f)
		delete(b.fetched, key)
	}
	for key, s := range b.stopped { // last, or one's verdict could follow its goodbye
		if batch.Len() == most {
			return batch
		}
		batch.Stopped = append(batch.Stopped, s)
		delete(b.stopped, key)
	}
	return batch
}
