package domain

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// Positions are where the namespaces of a file stand.
type Positions map[config.Name]config.Position

// A FileState is how a file is doing.
type FileState string

// The states of a file: no try was made, since a namespace is not there yet; the
// last try was applied; it was rejected.
const (
	FileWaiting  FileState = "waiting"
	FileApplied  FileState = "applied"
	FileRejected FileState = "rejected"
)

// A FileStanding is what an agent knows of a file that it makes.
type FileStanding struct {
	Worker   string
	State    FileState
	Tried    Positions                      // of the last try
	Running  Positions                      // of the last one that was applied
	Refusal  Refusal                        // of the last try, where it was rejected
	At       time.Time                      // of the last try
	Retry    time.Time                      // when to try the same again; zero for never
	Failures int                            // tries in a row that the disk spoiled
	Verdicts map[config.Name]config.Verdict // the newest of each namespace
}

// NewFileStanding is the standing of a file that was not tried yet.
func NewFileStanding(worker string) FileStanding {
	return FileStanding{Worker: worker, State: FileWaiting}
}

// Due reports whether a try is to be made: a namespace stands elsewhere than at
// the last one, or it is time to repeat that.
func (s FileStanding) Due(now Positions, at time.Time) bool {
	return !maps.Equal(now, s.Tried) || !s.Retry.IsZero() && !at.Before(s.Retry)
}

// Observe returns the standing after a try at those positions that ended so.
// Rejected are the revisions that the file did not run on before: it is one of
// them that made the difference, and the others it runs on still.
func (s FileStanding) Observe(tried Positions, err error, began, ended time.Time) FileStanding {
	next := s
	next.Tried, next.At, next.Retry, next.Refusal = tried, ended, time.Time{}, Refusal{}
	next.Verdicts = maps.Clone(s.Verdicts)
	if next.Verdicts == nil {
		next.Verdicts = map[config.Name]config.Verdict{}
	}
	verdict := config.Verdict{Worker: s.Worker, Status: config.Applied, At: ended, TookMS: ended.Sub(began).Milliseconds()}
	if err == nil {
		next.State, next.Running, next.Failures = FileApplied, tried, 0
		next.note(verdict, tried)
		return next
	}
	next.State = FileRejected
	next.Refusal = Refusal{Code: CodeWrite, Message: Words(err.Error())}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		next.Refusal = *refusal
	}
	if next.Failures++; next.Refusal.Code != CodeWrite {
		next.Failures = 0
	} else {
		next.Retry = ended.Add(retryAfter(next.Failures))
	}
	verdict.Status, verdict.Code, verdict.Message = config.Rejected, next.Refusal.Code, next.Refusal.Message
	next.note(verdict, s.news(tried))
	return next
}

// note makes the verdict one on each of the positions.
func (s FileStanding) note(v config.Verdict, on Positions) {
	for namespace, at := range on {
		v.Namespace, v.Epoch, v.Revision = namespace, at.Epoch, at.Revision
		s.Verdicts[namespace] = v
	}
}

// news are those of the tried positions that the file does not run on; all of
// them, where it runs on every one.
func (s FileStanding) news(tried Positions) Positions {
	news := maps.Clone(tried)
	maps.DeleteFunc(news, func(namespace config.Name, at config.Position) bool { return s.Running[namespace] == at })
	if len(news) == 0 {
		return tried
	}
	return news
}

// Reports are the newest verdicts, one for each namespace, in order.
func (s FileStanding) Reports() []config.Verdict {
	return slices.SortedFunc(maps.Values(s.Verdicts), func(a, b config.Verdict) int { return cmp.Compare(a.Namespace, b.Namespace) })
}

// retryAfter is the wait after so many failures of the disk: what is wrong there
// is no revision's fault, and may be mended meanwhile.
func retryAfter(failures int) time.Duration {
	return min(time.Minute, time.Second<<min(failures-1, 6))
}
