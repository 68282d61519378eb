package chain

import (
	"fmt"

	"github.com/heraldconf/herald/shared/config"
)

// A Standing is what a namespace's history says that stands at one of its
// revisions. It is told the commits from the newest to the oldest.
type Standing struct {
	namespace        string
	since, at        int64
	configs, schemas map[string]last
}

// A last is what was done last under a name.
type last struct {
	revision int64
	Change
}

// NewStanding is for what stands at the revision at. The lists were read when the
// namespace stood there or at an earlier one, from since on.
func NewStanding(namespace string, since, at int64) *Standing {
	return &Standing{namespace: namespace, since: since, at: at, configs: map[string]last{}, schemas: map[string]last{}}
}

// Note takes the next older commit.
func (s *Standing) Note(c Commit) {
	if c.Revision > s.at {
		return
	}
	for _, change := range c.Bare() {
		of := s.configs
		if change.Op == "put_schema" || change.Op == "delete_schema" {
			of = s.schemas
		}
		if _, newer := of[change.Name]; !newer {
			of[change.Name] = last{c.Revision, change}
		}
	}
}

func (l last) stands() bool { return l.Op == "put" || l.Op == "put_schema" }

// A Listed is a config or a schema of the list of those that stand.
type Listed struct {
	Name     string `json:"name"`
	Revision int64  `json:"revision"`
	ETag     string `json:"etag"`
}

// Compare holds a snapshot of that revision, and the lists of what stood since, against
// the history. The errors wrap ErrBroken.
func (s *Standing) Compare(snapshot *config.Snapshot, configs, schemas []Listed) []error {
	served := make([]Listed, 0, len(snapshot.Configs))
	for _, e := range snapshot.Configs {
		served = append(served, Listed{string(e.Name), int64(e.Revision), string(e.Document.ETag())})
	}
	errs := s.compare("config", s.configs, served, s.at)
	for _, t := range snapshot.Tombstones {
		if l, known := s.configs[string(t.Name)]; !known || l.stands() || l.revision != int64(t.Revision) {
			errs = append(errs, s.broken("tombstone", string(t.Name)))
		}
	}
	if len(errs) == 0 { // otherwise it would be said twice
		errs = s.compare("config", s.configs, configs, s.since)
	}
	return append(errs, s.compare("schema", s.schemas, schemas, s.since)...)
}

// compare holds what is listed against what was done last. What was done after that
// revision may be listed or not.
func (s *Standing) compare(kind string, done map[string]last, listed []Listed, since int64) []error {
	var errs []error
	found := map[string]bool{}
	for _, one := range listed {
		found[one.Name] = true
		l, known := done[one.Name]
		changing := max(l.revision, one.Revision) > since
		if !changing && (!known || !l.stands() || l.revision != one.Revision || l.ETag != one.ETag) {
			errs = append(errs, s.broken(kind, one.Name))
		}
	}
	for name, l := range done {
		if l.stands() && !found[name] && l.revision <= since {
			errs = append(errs, s.broken(kind, name))
		}
	}
	return errs
}

func (s *Standing) broken(kind, name string) error {
	return fmt.Errorf("%w: the %s %s/%s that stands is another than the history tells of", ErrBroken, kind, s.namespace, name)
}
