package domain

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/heraldconf/herald/shared/config"
)

// Why a commit is held that nobody may have meant. Force passes both.
var (
	ErrGuardEmpty      = errors.New("held by the guard against emptied documents")
	ErrGuardMassChange = errors.New("held by the guard against mass changes")
)

// onPurpose is what every refusal of a guard says last.
const onPurpose = "if that is meant, say force: ?force=true, or --force"

// maxListed is how many configs the refusal of a guard names.
const maxListed = 100

// Guards are what a commit is held to unless it is forced. The zero Guards hold
// nothing.
type Guards struct {
	// Empty holds a commit that empties a document.
	Empty bool `json:"empty"`
	// Configs is how many configs a namespace has at least for a change to be a
	// mass change; 0 is none.
	Configs int `json:"configs"`
	// DeletedPercent is how many of the configs a commit may delete.
	DeletedPercent int `json:"deleted_percent"`
	// KeptPercent is how many of their bytes a commit has to leave.
	KeptPercent int `json:"kept_percent"`
}

// DefaultGuards are those of a namespace that nobody set any for.
var DefaultGuards = Guards{Empty: true, Configs: 4, DeletedPercent: 50, KeptPercent: 50}

// check returns an error that wraps ErrGuardEmpty or ErrGuardMassChange, and names
// what would go, for a commit that takes from the namespace more than it may.
func (g Guards) check(now, next Namespace, changes []Change) error {
	if err := g.checkEmpty(now, changes); err != nil {
		return err
	}
	return g.checkMass(now, next, changes)
}

func (g Guards) checkEmpty(now Namespace, changes []Change) error {
	if !g.Empty {
		return nil
	}
	var emptied []config.Fault
	for _, change := range changes {
		standing, stands := now.Configs[change.Name]
		if change.Op == Put && stands && !standing.Empty && Empty(change.Document) {
			emptied = append(emptied, gone(change.Name, "would be empty, and has %d bytes now", standing.Size))
		}
	}
	if len(emptied) == 0 {
		return nil
	}
	return held(fmt.Errorf("%w: %s", ErrGuardEmpty, onPurpose), emptied)
}

func (g Guards) checkMass(now, next Namespace, changes []Change) error {
	before := len(now.Configs)
	if g.Configs == 0 || before < g.Configs {
		return nil
	}
	var lost []config.Fault
	deleted, kept := 0, now.size()
	for _, change := range changes {
		standing, stands := now.Configs[change.Name]
		if !stands {
			continue // what is new makes up for nothing that goes
		}
		left := next.Configs[change.Name].Size
		kept += left - standing.Size
		switch {
		case change.Op == Delete:
			deleted++
			lost = append(lost, gone(change.Name, "would be deleted, with %d bytes", standing.Size))
		case left < standing.Size:
			lost = append(lost, gone(change.Name, "would have %d bytes instead of %d", left, standing.Size))
		}
	}
	switch size := now.size(); {
	case deleted*100 > before*g.DeletedPercent:
		return held(fmt.Errorf("%w: %d of %d configs would be deleted; %s", ErrGuardMassChange, deleted, before, onPurpose), lost)
	case kept*100 < size*g.KeptPercent:
		return held(fmt.Errorf("%w: %d of %d bytes would be left; %s", ErrGuardMassChange, kept, size, onPurpose), lost)
	}
	return nil
}

func gone(name config.Name, format string, args ...any) config.Fault {
	return config.Fault{Path: "/" + string(name), Message: fmt.Sprintf(format, args...)}
}

func held(reason error, lost []config.Fault) error {
	if more := len(lost) - maxListed; more > 0 {
		lost = append(lost[:maxListed:maxListed], config.Fault{Message: fmt.Sprintf("and %d more", more)})
	}
	return &config.FaultyDocument{Err: reason, Faults: lost}
}

// MaxEmpty is how long a document may be that Empty is asked of where reading a
// long one costs more than the answer is worth.
const MaxEmpty = 64

// Empty reports whether a document says nothing: no bytes, {}, [], "" or null,
// white space and the comments of YAML and TOML aside.
func Empty(d config.Document) bool {
	body := d.Body
	if kind := d.Kind(); kind == config.YAML || kind == config.TOML {
		body = withoutComments(body)
	}
	body = bytes.TrimSpace(body)
	switch string(body) {
	case "", `""`, "null", "''", "~", "---":
		return true
	}
	last := len(body) - 1
	pair := string([]byte{body[0], body[last]})
	return last > 0 && (pair == "{}" || pair == "[]") && len(bytes.TrimSpace(body[1:last])) == 0
}

func withoutComments(body []byte) []byte {
	var rest []byte
	for line := range bytes.Lines(body) {
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			rest = append(rest, line...)
		}
	}
	return rest
}
