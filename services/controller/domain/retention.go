package domain

import (
	"fmt"
	"strings"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// ErrCompacted means that a document was there and was dropped from the history.
// It is an ErrNotFound too.
var ErrCompacted = fmt.Errorf("%w, since it was compacted", ErrNotFound)

// whoCompacted is what every refusal of something compacted says last.
const whoCompacted = "when and by whom is in the audit, as " + ActionCompact

// Compacted is the error of a document that was dropped.
func Compacted(namespace, name config.Name, revision config.Revision) error {
	return fmt.Errorf("%w: the document of %s/%s of revision %d; %s", ErrCompacted, namespace, name, revision, whoCompacted)
}

// maxKeep bounds both counts of a retention.
const maxKeep = 1_000_000_000

// maxKeepDays is a hundred years.
const maxKeepDays = 36_500

// A Retention says how much of a namespace's history keeps its documents. Of the
// two the one that keeps more holds; one that is 0 says nothing. The zero
// Retention keeps everything.
type Retention struct {
	// Revisions is how many of the newest revisions are kept whole.
	Revisions int `json:"keep_revisions"`
	// Days is for how many days all that stood in them is kept.
	Days int `json:"keep_days"`
}

// Everything reports whether nothing is ever dropped.
func (r Retention) Everything() bool { return r == Retention{} }

// Check returns an error that wraps ErrInvalidSettings for what cannot be meant.
func (r Retention) Check() error {
	if r.Revisions < 0 || r.Revisions > maxKeep || r.Days < 0 || r.Days > maxKeepDays {
		return fmt.Errorf("%w: keep_revisions is 0 to %d and keep_days 0 to %d, where 0 says nothing", ErrInvalidSettings, maxKeep, maxKeepDays)
	}
	return nil
}

// Cutoff is the time since which all that stood is kept, and whether there is one.
func (r Retention) Cutoff(at time.Time) (time.Time, bool) {
	return at.AddDate(0, 0, -r.Days), r.Days > 0
}

// KeptFrom is the oldest revision that is kept whole: each since then can be read,
// compared and rolled back to. The newest is always kept. stood is the revision
// that stood at the cutoff, where there is one.
func (r Retention) KeptFrom(newest, stood config.Revision) config.Revision {
	from := newest
	if r.Revisions > 0 {
		from = newest - config.Revision(r.Revisions) + 1
	}
	if r.Days > 0 {
		from = min(from, stood)
	}
	if r.Everything() {
		from = 1
	}
	return max(from, 1)
}

// A Compaction is what was dropped of a namespace's history, or would be.
type Compaction struct {
	Namespace config.Name     `json:"namespace"`
	KeptFrom  config.Revision `json:"kept_from"`
	Documents int             `json:"documents"`
	Bytes     int64           `json:"bytes"`
	// Dropped are the first of the documents, at most MaxDropped.
	Dropped []Dropped `json:"dropped"`
	// Newest is the newest revision that lost a document, 0 for none.
	Newest config.Revision `json:"-"`
}

// MaxDropped is how many documents a Compaction names.
const MaxDropped = 100

// A Dropped document is of a change that does not stand any more. The change stays,
// with the digest of the document.
type Dropped struct {
	Revision config.Revision `json:"revision"`
	Op       Op              `json:"op"`
	Name     config.Name     `json:"name"`
	Size     int             `json:"size"`
}

// Add counts a document, and names it while there is room.
func (c *Compaction) Add(d Dropped) {
	c.Documents++
	c.Bytes += int64(d.Size)
	c.Newest = max(c.Newest, d.Revision)
	if len(c.Dropped) < MaxDropped {
		c.Dropped = append(c.Dropped, d)
	}
}

// Join adds a further part of the same compaction.
func (c *Compaction) Join(more Compaction) {
	room := min(MaxDropped-len(c.Dropped), len(more.Dropped))
	c.Namespace, c.KeptFrom = more.Namespace, more.KeptFrom
	c.Documents, c.Bytes = c.Documents+more.Documents, c.Bytes+more.Bytes
	c.Newest = max(c.Newest, more.Newest)
	c.Dropped = append(c.Dropped, more.Dropped[:room]...)
}

// ActionCompact is what the audit calls a compaction.
const ActionCompact = "namespace.compact"

// Entry tells of the compaction. Its target names the newest revision that lost a
// document: no later one may lack any.
func (c Compaction) Entry(r Retention, by Actor, at time.Time) Entry {
	var detail strings.Builder
	fmt.Fprintf(&detail, "dropped %d documents, %d bytes; all since revision %d is kept (keep_revisions %d, keep_days %d):", c.Documents, c.Bytes, c.KeptFrom, r.Revisions, r.Days)
	for i, d := range c.Dropped {
		if i == maxTold {
			fmt.Fprintf(&detail, " and %d more", c.Documents-maxTold)
			break
		}
		fmt.Fprintf(&detail, " %s@%d", d.Name, d.Revision)
	}
	return Entry{At: at, Actor: by, Action: ActionCompact, Target: fmt.Sprintf("%s@%d", c.Namespace, c.Newest), Outcome: OutcomeDone, Detail: detail.String()}
}
