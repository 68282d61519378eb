package domain

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/heraldconf/herald/shared/config"
)

// Why a snapshot that verified is withheld, beside the errors of
// config.Snapshot.Succeeds.
var (
	// ErrRewritten means that a config is another one than what is held, and not of
	// a newer revision: no commit did that.
	ErrRewritten = errors.New("a config changed without a newer revision")
	// ErrShrunk means that a later epoch, as after a restore, would take away more
	// than the controller's guards let through unforced.
	ErrShrunk = errors.New("the later epoch would take away more than may be meant")
)

// The wipe guard, as the controller has it where nobody set another.
const (
	guardedConfigs = 4
	guardedPercent = 50
)

// succeeds returns nil if a holder of held may go over to next. In one epoch what
// is explicit passes, however much it is: a tombstone, or a config of a newer
// revision, is a commit that the controller's guards have seen or somebody forced.
// A later epoch is no commit, and nobody's guard has seen it. What an operator let
// through passes, unless it is older.
func succeeds(next, held *config.Snapshot) error {
	if err := next.Succeeds(held); err != nil || held == nil || next.Accepted {
		return err
	}
	if next.Epoch == held.Epoch {
		return rewritten(next, held)
	}
	return shrunk(next, held)
}

func rewritten(next, held *config.Snapshot) error {
	for _, before := range held.Configs {
		after, stands := next.Config(before.Name)
		same := after.MediaType == before.MediaType && bytes.Equal(after.Body, before.Body)
		if stands && (after.Revision < before.Revision || (after.Revision == before.Revision && !same)) {
			return fmt.Errorf("%w: %s/%s is of revision %d, held is %d", ErrRewritten, next.Namespace, before.Name, after.Revision, before.Revision)
		}
	}
	return nil
}

func shrunk(next, held *config.Snapshot) error {
	lost, before, after := 0, 0, 0
	for _, had := range held.Configs {
		has, stands := next.Config(had.Name)
		if !stands && next.Deleted(had.Name) {
			continue // on purpose
		}
		if stands && empty(has.Body) && !empty(had.Body) {
			return fmt.Errorf("%w: %s/%s would be empty", ErrShrunk, next.Namespace, had.Name)
		}
		if !stands {
			lost++
		}
		before, after = before+len(had.Body), after+len(has.Body)
	}
	configs := len(held.Configs)
	switch {
	case lost > 0 && len(next.Configs) == 0:
		return fmt.Errorf("%w: nothing of %s would be left", ErrShrunk, next.Namespace)
	case configs < guardedConfigs:
		return nil
	case lost*100 > configs*guardedPercent:
		return fmt.Errorf("%w: %d of %d configs of %s would be gone", ErrShrunk, lost, configs, next.Namespace)
	case after*100 < before*guardedPercent:
		return fmt.Errorf("%w: %d of %d bytes of %s would be left", ErrShrunk, after, before, next.Namespace)
	}
	return nil
}

// empty reports whether a document says nothing.
func empty(body []byte) bool {
	switch string(bytes.Join(bytes.Fields(body), nil)) {
	case "", "{}", "[]", `""`, "null":
		return true
	}
	return false
}

// A Withheld is what upstream has and the agent refuses to go over to.
type Withheld struct {
	config.Position                  // as it says of itself; zero where it does not
	Snapshot        *config.Snapshot // nil where it did not verify
	Code, Message   string
	At              time.Time
}

// Acceptable reports whether an operator may let it through: what is older, or is
// not signed, nobody can.
func (w *Withheld) Acceptable() bool {
	return w.Snapshot != nil && w.Code != "older" && w.Code != "signature"
}

// withheld returns what a pull that ended so leaves withheld: a refusal that is
// repeated stays as it was first told, and any other failure says nothing of it.
func (h Holding) withheld(a Answer, err error, at time.Time) *Withheld {
	w := &Withheld{Snapshot: a.Snapshot, At: at}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, config.ErrSignature):
		w.Code, w.Snapshot = "signature", nil
	case h.Has(a.Snapshot): // an operator let it through while it was refused once more
		return nil
	case errors.Is(err, config.ErrOlder):
		w.Code = "older"
	case errors.Is(err, config.ErrVanished):
		w.Code = "vanished"
	case errors.Is(err, ErrRewritten):
		w.Code = "rewritten"
	case errors.Is(err, ErrShrunk):
		w.Code = "shrunk"
	default:
		return h.Withheld
	}
	w.Message = err.Error()
	if a.Snapshot != nil {
		w.Position = a.Snapshot.Position
	}
	if old := h.Withheld; old != nil && old.Position == w.Position && old.Code == w.Code && old.Message == w.Message {
		return old
	}
	return w
}

// An Acceptance is an operator's word that what an agent withholds may pass: that
// very snapshot, and no other.
type Acceptance struct {
	Namespace config.Name `json:"namespace"`
	config.Position
	ETag config.ETag `json:"etag"`
}

// Of reports whether the acceptance is of what is withheld.
func (a Acceptance) Of(w *Withheld) bool {
	return w != nil && w.Acceptable() && w.Position == a.Position && w.Snapshot.Digest.ETag() == a.ETag
}
