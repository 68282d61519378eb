package usecase

import (
	"time"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// Withheld returns what this agent refuses, as it is told upward.
func (s *Syncer) Withheld(agent string) []config.Fetched {
	var told []config.Fetched
	for _, namespace := range s.Followed() {
		if w := s.Holding(namespace).Withheld; w != nil {
			told = append(told, Rejection(agent, namespace, w))
		}
	}
	return told
}

// Rejection is the report of a refusal.
func Rejection(agent string, namespace config.Name, w *domain.Withheld) config.Fetched {
	f := config.Fetched{
		Agent: agent, Namespace: namespace, Revision: w.Revision, Epoch: w.Epoch, At: w.At.UTC(),
		Status: config.Rejected, Code: w.Code, Message: w.Message,
	}
	if w.Snapshot != nil {
		f.ETag = w.Snapshot.Digest.ETag()
	}
	return f
}

// OnWithheld names who is told when what is refused of a namespace changes: w is
// nil once nothing is. It is set before anything is followed, and must not block.
func (s *Syncer) OnWithheld(tell func(namespace config.Name, w *domain.Withheld, held *config.Snapshot)) {
	s.withheld = tell
}

// Accept lets through what is withheld, if an acceptance is of just that.
func (s *Syncer) Accept(a domain.Acceptance) {
	s.mu.Lock()
	f := s.followed[a.Namespace]
	s.mu.Unlock()
	if f == nil {
		return
	}
	f.keeping.Lock()
	defer f.keeping.Unlock()
	held := f.get()
	if !a.Of(held.Withheld) {
		return
	}
	accepted := *held.Withheld.Snapshot // others may read the one that is withheld
	accepted.Accepted = true
	next, err := held.Accept(domain.Answer{Snapshot: &accepted}, time.Now())
	if err != nil {
		s.logger.Warn("accepted by an operator, and yet refused", "namespace", a.Namespace, "revision", a.Revision, "error", err)
		return
	}
	f.set(s.save(next))
	s.tell(&accepted)
	s.logger.Info("accepted by an operator", "namespace", a.Namespace, "revision", a.Revision, "epoch", a.Epoch)
}
