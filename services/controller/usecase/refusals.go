package usecase

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/heraldconf/herald/services/controller/domain"
	"github.com/heraldconf/herald/shared/config"
)

// refused records what an agent does not go over to. It is believed of any
// revision: one that never was is what a forger would offer. An agent that is not
// registered is nobody.
func (f *Fleet) refused(ctx context.Context, r config.Fetched) error {
	if _, err := f.written(ctx, r.Namespace); err != nil {
		return err
	}
	if r.Revision < 0 || len(r.Epoch) > 64 || len(r.ETag) > 128 {
		return fmt.Errorf("%w: a refusal of %s", ErrUnbelievable, r.Namespace)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.agents[r.Agent]
	if !ok {
		return nil
	}
	now := time.Now()
	known.LastSeen = now
	mark := domain.Mark{Position: r.Position(), At: cmp.Or(r.At, now).UTC()}
	next, changed := known.Refuse(r.Namespace, domain.Refusal{Mark: mark, ETag: r.ETag, Code: clip(r.Code, 64), Message: clip(r.Message, 1024)})
	if changed && len(next.Refused) <= maxNamespaces {
		known.Agent, known.kept.unsaved = next, true
		f.stir(r.Namespace)
	}
	return nil
}

// An Acceptance is what an operator lets an agent go over to: what it refuses of
// the namespace, if it is still that.
type Acceptance struct {
	Namespace config.Name
	At        config.Position
	By        domain.Actor
	DryRun    bool // only say what the agent would be
}

// Accept lets through what an agent refuses of a namespace, and keeps that, with
// its audit entry, before anybody is told; the agent hears of it when it next
// registers. It fails as domain.Agent.Accept and Register.Save do.
func (f *Fleet) Accept(ctx context.Context, id string, a Acceptance) (AgentView, error) {
	accept := func(known domain.Agent) (domain.Agent, error) { return known.Accept(a.Namespace, a.At, a.By) }
	return f.change(ctx, id, a.DryRun, accept, func(next domain.Agent) domain.Entry {
		return next.Acceptance(a.Namespace, a.By, time.Now())
	})
}

// Refusing returns the agents that refuse something of a namespace, in order.
func (f *Fleet) Refusing(namespace config.Name) []AgentView {
	f.mu.Lock()
	defer f.mu.Unlock()
	var views []AgentView
	for _, a := range f.agents {
		if _, ok := a.Refused[namespace]; ok {
			views = append(views, f.view(a))
		}
	}
	slices.SortFunc(views, func(a, b AgentView) int { return cmp.Compare(a.ID, b.ID) })
	return views
}
