package sdk

import (
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// accepted says everywhere that the application runs on a snapshot.
func (f *follower) accepted(s *config.Snapshot, took time.Duration) {
	now := time.Now().UTC()
	f.status.set(func(st *Status) { st.Running = &Running{Position: s.Position, Since: now} })
	f.teller.tell(f.verdict(s, config.Applied, now, took))
}

// rejected says everywhere that a snapshot was refused, and why.
func (f *follower) rejected(s *config.Snapshot, reason error, took time.Duration) {
	now := time.Now().UTC()
	v := f.verdict(s, config.Rejected, now, took)
	v.Code, v.Message = explain(reason)
	f.status.set(func(st *Status) {
		st.LastRejected = &Rejected{Position: s.Position, Code: v.Code, Message: v.Message, At: now}
	})
	f.logger.Warn("rejected; the last good stays", "revision", s.Revision, "code", v.Code, "error", reason)
	f.teller.tell(v)
}

func (f *follower) verdict(s *config.Snapshot, status config.Status, at time.Time, took time.Duration) config.Verdict {
	return config.Verdict{
		Worker: f.worker, Namespace: f.namespace, Revision: s.Revision, Epoch: s.Epoch,
		Status: status, At: at, TookMS: took.Milliseconds(),
	}
}
