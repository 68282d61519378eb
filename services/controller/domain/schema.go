package domain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/heraldconf/herald/shared/config"
)

// What a commit does to a schema: the document that the config of the same name
// must meet from then on. Schemas have names of their own, beside the configs'.
const (
	PutSchema    Op = "put_schema"
	DeleteSchema Op = "delete_schema"
)

// A Check is a rule that needs more than a Namespace knows, such as documents: it
// is asked of each commit that would change something, and its error refuses it.
// now is where the namespace stands before the commit.
type Check func(now Namespace, made Commit) error

// effectiveSchemas returns those changes of schemas that change something, in name
// order. Match is asked of the first where no config is changed.
func (n Namespace) effectiveSchemas(p Proposal) ([]Change, error) {
	var changes []Change
	for i, change := range p.Schemas {
		if slices.ContainsFunc(p.Schemas[:i], func(c Change) bool { return c.Name == change.Name }) {
			return nil, fmt.Errorf("%w: the schema %s stands in it twice", ErrEmptyCommit, change.Name)
		}
		if len(change.Body) > config.MaxDocument {
			return nil, fmt.Errorf("%w: the schema %s has %d bytes, a schema at most %d", ErrTooLarge, change.Name, len(change.Body), config.MaxDocument)
		}
		standing, stands := n.Schemas[change.Name]
		if change.Op == DeleteSchema && !stands {
			return nil, fmt.Errorf("%w: schema %s/%s", ErrNotFound, n.Name, change.Name)
		}
		if i == 0 && len(p.Changes) == 0 {
			if err := p.Match.check(change.Name, standing, stands); err != nil {
				return nil, err
			}
		}
		if change.Op == DeleteSchema {
			change.ETag = standing.ETag
		} else if change.ETag = change.Document.ETag(); stands && standing.ETag == change.ETag {
			continue
		}
		change.Creates = !stands
		changes = append(changes, change)
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return changes, nil
}

// schemasAfter are the schemas that stand once the commit is made.
func (n Namespace) schemasAfter(c Commit) map[config.Name]Config {
	next := map[config.Name]Config{}
	maps.Copy(next, n.Schemas)
	for _, change := range c.Schemas {
		if change.Op == DeleteSchema {
			delete(next, change.Name)
			continue
		}
		next[change.Name] = Config{
			Name: change.Name, Revision: c.Revision, ETag: change.ETag, MediaType: change.MediaType, Size: len(change.Body),
		}
	}
	return next
}

// checkSchemas returns an error that wraps ErrTooLarge for more schemas than a
// namespace may have: they have bounds of their own, and take no room from configs.
func (n Namespace) checkSchemas() error {
	total := 0
	for _, s := range n.Schemas {
		total += s.Size
	}
	switch {
	case total > config.MaxNamespace:
		return fmt.Errorf("%w: %s would have %d bytes of schemas, a namespace at most %d", ErrTooLarge, n.Name, total, config.MaxNamespace)
	case len(n.Schemas) > config.MaxNames:
		return fmt.Errorf("%w: %s would have %d schemas, a namespace at most %d", ErrTooLarge, n.Name, len(n.Schemas), config.MaxNames)
	}
	return nil
}
