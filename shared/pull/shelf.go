package pull

import (
	"sync"

	"github.com/heraldconf/herald/shared/config"
)

// maxShelf is how many resources a shelf remembers; beyond that it begins anew.
const maxShelf = 1024

// A shelf remembers what was worked out for each resource as it stands now: the
// digest of a single config, and its encodings.
type shelf struct {
	mu   sync.Mutex
	kept map[[2]config.Name]resource
}

// keep returns the resource with its digest and encodings, as they were worked
// out for an earlier request where that was about the same bytes.
func (s *shelf) keep(found resource) resource {
	key := [2]config.Name{found.namespace, found.config}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept, ok := s.kept[key]; ok && kept.etag == found.etag && len(kept.body) == len(found.body) {
		kept.at, kept.signature, kept.accepted = found.at, found.signature, found.accepted
		return kept
	}
	if s.kept == nil || len(s.kept) >= maxShelf {
		s.kept = map[[2]config.Name]resource{}
	}
	if found.config != "" {
		found.digest = config.DigestOf(found.body)
	}
	found.encodings = new(encodings)
	s.kept[key] = found
	return found
}
